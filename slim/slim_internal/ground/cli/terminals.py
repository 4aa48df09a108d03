"""Printing names that the encoding of the terminal lacks, and to streams that are closed."""

import codecs
import io
import os
import sys

_ERRORS = "slim_terminal"
_FIRST_BYTE, _LAST_BYTE = 0xDC80, 0xDCFF  # How Python keeps a byte of a name that is not UTF-8.


def _encode(error: UnicodeError) -> tuple[str | bytes, int]:
    """Gives back the bytes of names that are not UTF-8, and escapes what cannot be shown."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    code = ord(error.object[error.start])
    if _FIRST_BYTE <= code <= _LAST_BYTE:
        return bytes([code - 0xDC00]), error.start + 1
    escaped = error.object[error.start].encode("ascii", "backslashreplace")
    return escaped.decode("ascii"), error.start + 1


def open_closed() -> None:
    """Puts the null device in the place of standard streams that are closed (`>&-`).

    The next file to be opened would take the place of such a stream, and what libraries print
    would get into that file.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if not _is_open(number):
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # Takes the lowest number.
        if getattr(sys, name) is None:
            stream = open(number, "w" if number else "r", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def tolerate(stream: object) -> None:
    """Makes a standard stream print any name; nothing else about it changes."""
    if isinstance(stream, io.TextIOWrapper):
        codecs.register_error(_ERRORS, _encode)
        stream.reconfigure(errors=_ERRORS)
