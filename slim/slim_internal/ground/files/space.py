"""Free space, and what to say when there is none left."""

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator

from slim_internal.ground.errors import UserError
from slim_internal.ground.files import atomic
from slim_internal.ground.progress import human_bytes

# How the system says that a disk is full, that the user may have no more of it, and that a file
# may not grow any further.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_SPARE = 64 << 20  # Bytes to leave to others.


def is_full(error: OSError) -> bool:
    """Returns whether writing failed for want of space."""
    return error.errno in _FULL


def from_message(message: str, path: str | os.PathLike) -> OSError | None:
    """Returns what TensorFlow wraps in an error of its own where it finds no space, else None."""
    found = (code for code in _FULL if os.strerror(code) in message)
    return next((OSError(code, os.strerror(code), os.fspath(path)) for code in found), None)


def cannot_write(error: OSError, path: str | os.PathLike | None = None) -> UserError:
    """Returns the message for a file that could not be written.

    Args:
      error: What the operating system said.
      path: The file or folder; by default the one that the error names, if it names any.
    """
    path = path or error.filename
    target = f"Cannot write to {atomic.meant_by(path)}" if path else "Cannot write"
    if error.errno == errno.EFBIG:
        remedy = ": larger than a file may become here (see ulimit -f). Raise the limit"
    elif is_full(error):
        remedy = f": the disk is full ({error.strerror}). Free some space"
    else:
        return UserError(f"{target}: {error.strerror}.")
    return UserError(f"{target}{remedy} and run the same command again.")


@contextlib.contextmanager
def full_disk_explained(path: str | os.PathLike) -> Iterator[None]:
    """Turns an error for want of space, and no other, into a `UserError` that says what to do."""
    try:
        yield
    except OSError as error:
        if not is_full(error):
            raise
        raise cannot_write(error, path) from error


@contextlib.contextmanager
def write_errors_explained(path: str | os.PathLike) -> Iterator[None]:
    """Turns every refusal of the operating system into a `UserError` that says what to do."""
    try:
        yield
    except OSError as error:
        raise cannot_write(error, path) from error


def free_bytes(folder: str | os.PathLike) -> int:
    """Returns how many bytes a user may still write to the disk of a folder."""
    return shutil.disk_usage(folder).free


def require_room_to_spare(path: str | os.PathLike, needed: int, what: str) -> None:
    """Requires that a disk does not run full of what nobody knows the size of.

    Args:
      path: The file that grows.
      needed: Bytes that are written next.
      what: What it is, for the message.

    Raises:
      UserError: Hardly anything would be free then.
    """
    folder = os.path.dirname(os.fspath(path)) or "."
    usage = shutil.disk_usage(folder)
    if usage.free - needed < min(_SPARE, usage.total // 20):
        raise UserError(
            f"Cannot write to {os.fspath(path)}: the disk is full but for"
            f" {human_bytes(usage.free)}, and the size of {what} is not known. Free some space and"
            " run the same command again."
        )


def require_free(folder: str | os.PathLike, needed: int, what: str) -> None:
    """Requires that a number of bytes fits on the disk of a folder.

    Args:
      folder: The folder.
      needed: Bytes that are going to be written there.
      what: What they are, for the message.

    Raises:
      UserError: It does not.
    """
    free = free_bytes(folder)
    if needed > free:
        raise UserError(
            f"Too little space in {os.fspath(folder)} for {what}: {human_bytes(needed)} needed, "
            f"{human_bytes(free)} free."
        )
