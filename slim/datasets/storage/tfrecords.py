"""TFRecord files that are either complete under their final name or not there at all.

A shard is written under a hidden name and moved to its own when it is closed. What it then
contains (records, bytes, a checksum) goes into the manifest, and `scan` finds it out again.

The format is TensorFlow's: the length of a record (8 bytes, little-endian) and a CRC-32C of it,
the record and a CRC-32C of it. It is written here directly, so that a process that only moves
bytes need not load TensorFlow, which takes seconds and 400 MB.
"""

import contextlib
import dataclasses
import itertools
import os
import stat
import struct
from collections.abc import Iterable, Iterator
from typing import BinaryIO, cast

import google_crc32c

from slim_internal.ground.errors import UserError
from slim_internal.ground.files import atomic
from slim_internal.ground.images import header as image_header

_LENGTH = struct.Struct("<Q")
_CHECKSUM = struct.Struct("<I")
_HEADER = _LENGTH.size + _CHECKSUM.size

_GZIP = b"\x1f\x8b\x08"
# How files begin that people take for records, and what they are.
_STRANGERS = {
    _GZIP: "compressed by gzip; unpack it first, as gunzip does",
    b"\x78\x01": "compressed by zlib; write it without compression",
    b"\x78\x5e": "compressed by zlib; write it without compression",
    b"\x78\x9c": "compressed by zlib; write it without compression",
    b"\x78\xda": "compressed by zlib; write it without compression",
    b"\x28\xb5\x2f\xfd": "compressed by zstd; unpack it first",
    b"BZh": "compressed by bzip2; unpack it first",
    b"\xfd7zXZ": "compressed by xz; unpack it first",
    b"PK\x03\x04": "a zip archive",
    b"PAR1": "a Parquet file",
    b"\x89HDF": "an HDF5 file",
    b"{": "JSON",
}


class DamagedShardError(UserError):
    """A shard cannot be read; the message names the file and the first bad record."""


@dataclasses.dataclass(frozen=True)
class Contents:
    """What a shard holds.

    Attributes:
      records: Number of records.
      bytes: Size of the file.
      checksum: "crc32c:" and 8 hex digits, over the payload of all records in order. It costs
        a twentieth of writing them, and finds what the checksum that TFRecord itself keeps of
        every record cannot: an intact record in the wrong place.
    """

    records: int
    bytes: int
    checksum: str


class _Tally:
    """Adds up the contents of a shard record by record."""

    def __init__(self):
        self.records = 0
        self._crc = 0

    def add(self, record: bytes) -> None:
        self._crc = google_crc32c.extend(self._crc, record)
        self.records += 1

    def contents(self, size: int) -> Contents:
        return Contents(self.records, size, f"crc32c:{self._crc:08x}")


class ShardWriter:
    """Writes one shard; leaving the `with` block by an exception leaves no file behind."""

    def __init__(self, path: str | os.PathLike):
        self._file = atomic.AtomicFile(path)
        self._tally = _Tally()
        self.contents: Contents | None = None

    def write(self, record: bytes) -> None:
        """Appends one serialized example."""
        length = _LENGTH.pack(len(record))
        self._file.writelines((length, _checksum(length), record, _checksum(record)))
        self._tally.add(record)

    def close(self) -> Contents:
        """Moves the shard to its final name and returns what it contains."""
        if self.contents is None:
            self._file.publish()
            self.contents = self._tally.contents(self._file.size)
        return self.contents

    def discard(self) -> None:
        """Removes what was written so far."""
        self._file.discard()

    def __enter__(self) -> "ShardWriter":
        return self

    def __exit__(self, error_type, error, trace) -> None:
        try:
            if error_type is None:
                self.close()
        finally:
            self.discard()


def write_shard(path: str | os.PathLike, records: Iterable[bytes]) -> Contents:
    """Writes all records as one shard and returns what it contains."""
    with ShardWriter(path) as writer:
        for record in records:
            writer.write(record)
    return writer.contents


def read_records(path: str | os.PathLike) -> Iterator[bytes]:
    """Yields the records of a shard in order.

    Raises:
      DamagedShardError: The file is missing or a record does not match its own checksum.
    """
    with _damage_named(path), _opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        for index in itertools.count():
            start = file.tell()
            if start == size:
                break
            try:
                record = _read_record(file, size - start)
            except _DamageError as error:
                raise _damaged(path, index, error, start) from None
            yield record


def check_framing(path: str | os.PathLike) -> int:
    """Leaps from record to record without reading them, and returns how many there are.

    TensorFlow takes a file that ends within the length of a record for one that ends before it,
    and dies of a length that is right by its checksum but larger than memory.

    Raises:
      DamagedShardError: As `read_records`, if a length is damaged or leads beyond the end.
    """
    with _damage_named(path), _opened(path, buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        start = index = 0
        while start < size:
            try:
                count = _length(os.pread(file.fileno(), _HEADER, start), size - start)
            except _DamageError as error:
                raise _damaged(path, index, error, start) from None
            start += _HEADER + count + _CHECKSUM.size
            index += 1
        return index


@contextlib.contextmanager
def _opened(path: str | os.PathLike, buffering: int = -1) -> Iterator[BinaryIO]:
    """Opens a file of records; a FIFO would be waited for."""

    def opener(name: str, how: int) -> int:
        return os.open(name, how | os.O_NONBLOCK)

    with open(path, "rb", buffering, opener=opener) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            what = "is a device or pipe, not a file of records"
            raise DamagedShardError(f"{os.fspath(path)} {what}.")
        yield cast(BinaryIO, file)


@contextlib.contextmanager
def _damage_named(path: str | os.PathLike) -> Iterator[None]:
    """Says in one line why a file cannot be opened or read."""
    try:
        yield
    except FileNotFoundError:
        raise DamagedShardError(f"{os.fspath(path)} is missing.") from None
    except IsADirectoryError:
        raise DamagedShardError(f"{os.fspath(path)} is a folder, not a file of records.") from None
    except OSError as error:
        raise DamagedShardError(f"{os.fspath(path)} cannot be read: {error.strerror}.") from error


class _DamageError(Exception):
    """What is wrong with a record, in words."""


def _damaged(
    path: str | os.PathLike, index: int, error: _DamageError, start: int
) -> DamagedShardError:
    stranger = "" if index else _stranger(path)
    if stranger:
        return DamagedShardError(f"{os.fspath(path)} is no file of records: it is {stranger}.")
    return DamagedShardError(f"{os.fspath(path)}: record {index} is damaged ({error} at {start}).")


def _stranger(path: str | os.PathLike) -> str:
    """Returns what a file is whose first record cannot be read, or "" if that is not known."""
    with open(path, "rb") as file:
        start = file.read(16)
    if start[4:8] == bytes(4) and not start.startswith(_GZIP):  # A length, below 4 GB as all are.
        return ""
    for signature, name in _STRANGERS.items():
        if start.startswith(signature):
            return name
    image = image_header.kind(start)
    return f"an image ({image})" if image else ""


def _length(header: bytes, available: int) -> int:
    """Returns the length of a record from what stands before it.

    Args:
      header: Length and checksum.
      available: Bytes from here to the end of the file.
    """
    length = header[: _LENGTH.size]
    if len(header) < _HEADER:
        raise _DamageError("cut off")
    if header[_LENGTH.size :] != _checksum(length):
        raise _DamageError("wrong length")
    (count,) = _LENGTH.unpack(length)
    if _HEADER + count + _CHECKSUM.size > available:
        raise _DamageError("cut off")
    return count


def _read_record(file: BinaryIO, available: int) -> bytes:
    """Reads the next record; `available` is the number of bytes that are left in the file."""
    count = _length(file.read(_HEADER), available)
    record = file.read(count)
    if file.read(_CHECKSUM.size) != _checksum(record):
        raise _DamageError("wrong checksum")
    return record


def _checksum(data: bytes) -> bytes:
    """Returns the CRC-32C of some bytes as TFRecord stores it: rotated, with a constant added."""
    crc = google_crc32c.value(data)
    return _CHECKSUM.pack(((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def scan(path: str | os.PathLike) -> Contents:
    """Reads a whole shard and returns what it contains.

    Raises:
      DamagedShardError: As `read_records`.
    """
    tally = _Tally()
    for record in read_records(path):
        tally.add(record)
    return tally.contents(os.path.getsize(path))
