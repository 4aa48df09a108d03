"""Where each file of a tar archive lies, so that it can be read without unpacking the archive.

The standard library's `tarfile` would do, but takes five times as long over each of the 1.3
million headers and keeps them all. The format is that of POSIX.1-1988 (ustar), with the ways of
GNU tar and POSIX.1-2001 (pax) to give longer names and sizes.
"""

import os
from collections.abc import Iterator
from typing import NamedTuple

from slim_internal.ground import errors

_BLOCK = 512  # Bytes; headers and files of a tar archive start at multiples of it.
_ZEROS = bytes(_BLOCK)  # The end of the archive.

# Types of members. A header of the last two kinds is about the member that follows.
_REGULAR = (b"0", b"\0")
_GNU_LONG_NAME = b"L"
_PAX = b"x"
# A folder, a header for all that follow, and one about a link, which is refused itself.
_WITHOUT_FILE = (b"5", b"g", b"K")
# No header that describes a member is longer; what asks for more wants to fill the memory.
LONGEST_HEADER = 64 << 10
_LONGEST_NUMBER = 20  # Digits.
# A member needs two or three headers.
_MOST_HEADERS = 16


class Member(NamedTuple):
    """A regular file of an archive: its name, and its first byte and size in bytes."""

    name: str
    offset: int
    size: int


def index(path: str | os.PathLike, within: Member | None = None) -> Iterator[Member]:
    """Yields the regular files of an uncompressed tar archive, in the archive's order.

    Args:
      path: The archive.
      within: A member of the archive that is itself a tar archive; then its files are yielded,
        their offsets counted from the start of the outer archive.

    Raises:
      UserError: if the archive cannot be read to its end: it is no tar archive, was cut off or is
        damaged. Raised in the place of the first file that is out of reach.
    """
    with open(path, "rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        start, end = (within.offset, within.offset + within.size) if within else (0, size)
        try:
            yield from _members(file.fileno(), start, min(end, size))
        except _DamageError as damage:
            what = f"{path} ({within.name})" if within else path
            raise errors.UserError(f"{what} is not a complete tar archive: {damage}.") from None


def index_nested(path: str | os.PathLike) -> Iterator[tuple[str, Member]]:
    """Yields (name of the inner archive without .tar, file) for a tar archive of tar archives.

    Raises:
      UserError: as `index` does, and if a member's name does not end in `.tar`.
    """
    for inner in index(path):
        stem, suffix = os.path.splitext(os.path.basename(inner.name))
        if suffix != ".tar":
            raise errors.UserError(f"{path} holds {inner.name!r} where tar archives are expected.")
        for member in index(path, within=inner):
            yield stem, member


class _DamageError(Exception):
    """What is wrong with an archive and where."""


def _members(descriptor: int, position: int, end: int) -> Iterator[Member]:
    """Yields the files of the archive that lies between two positions of an open file."""
    special: dict[bytes, bytes] = {}  # What the headers before a member said about it.
    headers = 0
    while True:
        header = os.pread(descriptor, min(_BLOCK, end - position), position)
        if header == _ZEROS:
            return
        _check_header(header, position)
        kind = header[156:157]
        size = (
            _number(special[b"size"], base=10) if b"size" in special else _number(header[124:136])
        )
        data = position + _BLOCK
        position = data + -(-size // _BLOCK) * _BLOCK
        if position > end:
            raise _DamageError(f"it ends within the member at byte {data - _BLOCK}")
        headers += 1
        if headers > _MOST_HEADERS:
            raise _DamageError(f"the member at byte {data - _BLOCK} has too many headers")
        if kind in (_GNU_LONG_NAME, _PAX) and size > LONGEST_HEADER:
            raise _DamageError(f"the header at byte {data - _BLOCK} is too long")
        if kind == _GNU_LONG_NAME:
            special[b"path"] = os.pread(descriptor, size, data).rstrip(b"\0")
        elif kind == _PAX:
            special |= _pax_records(os.pread(descriptor, size, data))
        else:
            name = special.get(b"path") or _name(header)
            if b"\0" in name:
                raise _DamageError(f"the name of the member at byte {data - _BLOCK} holds a NUL")
            if kind in _REGULAR:
                yield Member(os.fsdecode(name), data, size)
            elif kind not in _WITHOUT_FILE:
                place = data - _BLOCK
                raise _DamageError(f"the member at byte {place} is a link or device, not a file")
            special.clear()
            headers = 0


def _pax_records(data: bytes) -> dict[bytes, bytes]:
    """Returns what an extended header says; a record is `<length> <key>=<value>` and a line end."""
    records = {}
    start = 0
    while start < len(data):
        digits, _, _ = data[start : start + _LONGEST_NUMBER].partition(b" ")
        length = _number(digits, base=10)
        if length <= len(digits):
            raise _DamageError("an extended header is invalid")
        key, _, value = data[start + len(digits) + 1 : start + length - 1].partition(b"=")
        records[key] = value
        start += length
    return records


def _check_header(header: bytes, position: int) -> None:
    if len(header) < _BLOCK:
        raise _DamageError(f"truncated at byte {position}")
    # The checksum counts its own field as blanks.
    total = sum(header) - sum(header[148:156]) + 8 * ord(" ")
    if _number(header[148:156]) != total:
        raise _DamageError(f"there is no header at byte {position}")


def _number(field: bytes, base: int = 8) -> int:
    """Returns the number that a field holds: digits, or binary where these do not suffice."""
    if field[:1] >= b"\x80":
        return int.from_bytes(field[1:], "big")
    digits = field.strip(b"\0 ")
    try:
        if digits and not digits.isdigit():  # A sign would lead back; `int` takes that and more.
            raise ValueError
        return int(digits or b"0", base)
    except ValueError:
        raise _DamageError(f"a header holds {field!r} instead of a number") from None


def _name(header: bytes) -> bytes:
    name = header[:100].split(b"\0", 1)[0]
    if header[257:263] == b"ustar\0" and header[345]:
        return header[345:500].split(b"\0", 1)[0] + b"/" + name
    return name
