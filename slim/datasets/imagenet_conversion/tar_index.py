"""Where each file of a tar archive lies, so that it can be read without unpacking the archive."""

import os
import pathlib
import tarfile
from collections.abc import Iterator
from typing import NamedTuple

import errors

_BLOCK = 512  # Bytes; headers and files of a tar archive start at multiples of it.


class Member(NamedTuple):
    """A regular file of an archive: its name, and its first byte and size in bytes."""

    name: str
    offset: int
    size: int


class _Window:
    """A stretch of an open file as the read-only file that `tarfile` wants.

    Reads with `pread`: the descriptor's own position is neither used nor moved.
    """

    def __init__(self, descriptor: int, offset: int, size: int):
        self._descriptor = descriptor
        self._offset = offset
        self._size = size
        self._position = 0

    def tell(self) -> int:
        """Returns the position in bytes from the start of the window."""
        return self._position

    def seek(self, position: int) -> None:
        """Moves to a position in bytes from the start of the window."""
        self._position = position

    def read(self, size: int) -> bytes:
        """Returns the next `size` bytes, fewer at the end of the window."""
        size = max(0, min(size, self._size - self._position))
        data = os.pread(self._descriptor, size, self._offset + self._position)
        self._position += len(data)
        return data


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
    path = pathlib.Path(path)
    what = f"{path} ({within.name})" if within else str(path)
    try:
        with open(path, "rb", buffering=0) as file:
            base, size = (within.offset, within.size) if within else (0, path.stat().st_size)
            window = _Window(file.fileno(), base, size)
            with tarfile.open(fileobj=window, mode="r:") as archive:
                while (header := archive.next()) is not None:
                    archive.members.clear()  # Or a header stays in memory for every file.
                    if header.isreg():
                        yield Member(header.name, base + header.offset_data, header.size)
                # A header that makes no sense ends the iteration as the true end does.
                window.seek(archive.offset)
                if window.read(_BLOCK) != bytes(_BLOCK):
                    raise errors.UserError(
                        f"{what} is damaged or cut off at byte {base + archive.offset}."
                    )
    except tarfile.TarError as error:
        raise errors.UserError(f"{what} is not a whole tar archive: {error}.") from error


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
