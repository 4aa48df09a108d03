"""Reads the files of a small gzip-compressed tar archive one after the other, to its very end."""

import gzip
import os
import tarfile
import zlib
from collections.abc import Callable, Iterator

from datasets.converters.imagenet.tar_index import LONGEST_HEADER
from slim_internal.ground import errors

_FILES = (*tarfile.REGULAR_TYPES, tarfile.DIRTYPE)


def read(
    path: str | os.PathLike, wanted: Callable[[str], bool], *, max_bytes: int
) -> Iterator[tuple[str, bytes]]:
    """Yields (name, contents) of the regular files whose names are wanted.

    Args:
      path: The archive.
      wanted: Function of a file's name that says whether to read the file.
      max_bytes: What no honest file exceeds.

    Raises:
      UserError: if the archive is damaged or cut off anywhere, or a wanted file is too large.
    """
    try:
        with gzip.open(path) as stream:
            with tarfile.open(fileobj=stream, mode="r|", tarinfo=_Member) as archive:
                for member in iter(archive.next, None):
                    archive.members.clear()  # Or it keeps half a million of them for the boxes.
                    if not member.isreg() or not wanted(member.name):
                        continue
                    if member.size > max_bytes:
                        raise errors.UserError(f"{member.name} in {path} is too large.")
                    yield member.name, archive.extractfile(member).read()
            # A tar archive that is cut off between two files looks whole; the gzip around it,
            # which ends with a checksum, does not.
            while stream.read(1 << 20):
                pass
    except _LongHeaderError as error:
        raise errors.UserError(f"{path} cannot be read: one of its headers is too long.") from error
    except errors.UserError:
        raise
    except (tarfile.TarError, EOFError, ValueError, gzip.BadGzipFile, zlib.error) as error:
        raise errors.UserError(f"{path} cannot be read to its end: {error}.") from error


class _LongHeaderError(Exception):
    """A member whose description does not end."""


class _Member(tarfile.TarInfo):
    """A member, or a header about one, which tarfile reads into memory whatever its size."""

    @classmethod
    def frombuf(cls, buf: bytes, encoding: str, errors: str) -> "_Member":
        member = super().frombuf(buf, encoding, errors)
        if member.type not in _FILES and member.size > LONGEST_HEADER:
            raise _LongHeaderError
        return member
