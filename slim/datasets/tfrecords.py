"""TFRecord files that are either complete under their final name or not there at all.

A shard is written under a hidden name and moved to its own when it is closed. What it then
contains (records, bytes, a checksum) goes into the manifest, and `scan` finds it out again.
"""

import contextlib
import dataclasses
import os
import pathlib
import zlib
from collections.abc import Iterable, Iterator

from compat import tf
from errors import UserError

_PARTIAL_SUFFIX = ".partial"


class DamagedShardError(UserError):
    """A shard cannot be read; the message names the file and the first bad record."""


@dataclasses.dataclass(frozen=True)
class Contents:
    """What a shard holds.

    Attributes:
      records: Number of records.
      bytes: Size of the file.
      checksum: "crc32:" and 8 hex digits, over the payload of all records in order. It costs
        nothing beside the CRC-32C that TFRecord itself keeps of every record, and finds what
        that one cannot: an intact record in the wrong place.
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
        self._crc = zlib.crc32(record, self._crc)
        self.records += 1

    def contents(self, path: str) -> Contents:
        return Contents(self.records, os.path.getsize(path), f"crc32:{self._crc:08x}")


class ShardWriter:
    """Writes one shard; leaving the `with` block by an exception leaves no file behind."""

    def __init__(self, path: str | os.PathLike):
        self._path = os.fspath(path)
        folder, name = os.path.split(self._path)
        # The process id keeps a second writer of the same shard from tearing this one.
        self._partial = os.path.join(folder, f".{name}.{os.getpid()}{_PARTIAL_SUFFIX}")
        self._file = tf.io.TFRecordWriter(self._partial)
        self._tally = _Tally()
        self.contents: Contents | None = None

    def write(self, record: bytes) -> None:
        """Appends one serialized example."""
        self._file.write(record)
        self._tally.add(record)

    def close(self) -> Contents:
        """Moves the shard to its final name and returns what it contains."""
        if self.contents is None:
            self._file.close()
            self.contents = self._tally.contents(self._partial)
            os.replace(self._partial, self._path)
        return self.contents

    def discard(self) -> None:
        """Removes what was written so far."""
        self._file.close()
        with contextlib.suppress(FileNotFoundError):
            os.remove(self._partial)

    def __enter__(self) -> "ShardWriter":
        return self

    def __exit__(self, error_type, error, trace) -> None:
        if error_type is None:
            self.close()
        else:
            self.discard()


def write_shard(path: str | os.PathLike, records: Iterable[bytes]) -> Contents:
    """Writes all records as one shard and returns what it contains."""
    with ShardWriter(path) as writer:
        for record in records:
            writer.write(record)
    return writer.contents


def remove_partials(folder: str | os.PathLike) -> None:
    """Removes what killed writers left behind."""
    for path in pathlib.Path(folder).glob(f".*{_PARTIAL_SUFFIX}"):
        path.unlink(missing_ok=True)


def read_records(path: str | os.PathLike) -> Iterator[bytes]:
    """Yields the records of a shard in order.

    Raises:
      DamagedShardError: The file is missing or a record does not match its own checksum.
    """
    path, index = os.fspath(path), 0
    try:
        for record in _tf_records(path):
            yield record
            index += 1
    except tf.errors.NotFoundError:
        raise DamagedShardError(f"{path} is missing.") from None
    except tf.errors.DataLossError as error:
        raise DamagedShardError(f"{path}: record {index} is damaged ({error.message}).") from None


def _tf_records(path: str) -> Iterator[bytes]:
    """The plain iterator, which has no successor in graph mode, without its deprecation notice."""
    logger = tf.get_logger()
    level = logger.level
    logger.setLevel("ERROR")
    try:
        return tf.io.tf_record_iterator(path)
    finally:
        logger.setLevel(level)


def scan(path: str | os.PathLike) -> Contents:
    """Reads a whole shard and returns what it contains.

    Raises:
      DamagedShardError: As `read_records`.
    """
    tally = _Tally()
    for record in read_records(path):
        tally.add(record)
    return tally.contents(os.fspath(path))
