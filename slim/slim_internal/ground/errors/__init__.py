"""The one exception for mistakes that a user can mend, and the sentences it carries.

A library raises `UserError` where the value came from outside: a flag, a file, an argument.
Scripts print its message on one line and exit with 1; any other exception is a bug of ours and
keeps its traceback.
"""

import difflib
import numbers
import os
import tempfile
from collections.abc import Iterable
from typing import Any


class UserError(ValueError):
    """What the user gave cannot be used; the message names the value, the choices, the remedy."""


def raise_if_out_of_memory(error: Exception) -> None:
    """Keeps what was being read from the blame for an error that a lack of memory led to.

    Raises:
      MemoryError: If that is what the error says; protobuf says it in an error for damaged bytes.
    """
    if isinstance(error, MemoryError) or "alloc failed" in str(error):
        raise MemoryError(str(error)) from error


def nearest(received: Any, allowed: Iterable[Any]) -> Any:
    """Returns the allowed value most like the received one, or None if none is.

    Numbers are compared by their size, all else by its spelling.
    """
    allowed = list(allowed)
    if allowed and all(isinstance(value, numbers.Real) for value in (received, *allowed)):
        return min(allowed, key=lambda value: abs(value - received))
    by_spelling = {str(value).lower(): value for value in allowed}
    matches = difflib.get_close_matches(str(received).lower(), by_spelling, n=1)
    return by_spelling[matches[0]] if matches else None


def unknown(kind: str, received: object, allowed: Iterable[object], remedy: str = "") -> UserError:
    """Returns the error for a name that is not one of a closed list.

    Args:
      kind: What the name stands for, in the words of the user: "network", "split of flowers".
      received: The value as it was given.
      allowed: Every value that would have been accepted.
      remedy: A sentence saying what to do, when picking from the list is not the whole answer.
    """
    allowed = list(allowed)
    match = nearest(received, allowed)
    parts = [f"Unknown {kind} {received!r}."]
    if match is not None:
        parts.append(f"Did you mean {match!r}?")
    parts.append(f"Allowed: {', '.join(map(str, allowed)) or 'none'}.")
    if remedy:
        parts.append(remedy)
    return UserError(" ".join(parts))


def require_writable_folder(flag: str, folder: str) -> None:
    """Makes a folder, and finds out now, not after hours of work, whether it takes files.

    Args:
      flag: Name of the flag that the folder comes from.
      folder: Path of the folder.

    Raises:
      UserError: If it cannot be made, or nothing can be written there.
    """
    try:
        os.makedirs(folder, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UserError(
            f"Cannot write to --{flag}={folder}: {error.strerror}. Choose another folder."
        ) from error
