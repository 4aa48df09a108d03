"""One picture before it is converted: where its bytes are and what it shows."""

import functools
import os
from typing import NamedTuple

from datasets.imagenet_classes import ImagenetClass
from slim_internal.ground import errors

_OPEN_ARCHIVES = 4  # Two are needed; descriptors of further ones would only pile up.

Box = tuple[float, float, float, float]


class Source(NamedTuple):
    """A picture's place and labels.

    Attributes:
      path: The file that holds the picture: an archive, or the picture alone.
      offset: Its first byte in that file, None where the file is the picture.
      size: Its size in bytes.
      filename: Its own file name, "n01440764_10026.JPEG".
      shows: The class of what it shows.
      boxes: Boxes around what it shows: (xmin, ymin, xmax, ymax) as shares of width and height.
    """

    path: str
    offset: int | None
    size: int
    filename: str
    shows: ImagenetClass
    boxes: tuple[Box, ...] = ()

    def __str__(self) -> str:
        return self.path if self.offset is None else f"{self.path}: {self.filename}"

    def read(self) -> bytes:
        """Returns the picture's bytes.

        Raises:
          UserError: if the file no longer holds them all.
        """
        if self.offset is None:
            with open(self.path, "rb") as file:
                data = file.read()
        else:
            data = os.pread(_descriptor(self.path), self.size, self.offset)
        if len(data) != self.size:
            raise errors.UserError(f"{str(self)!r} has changed since the conversion began.")
        return data


@functools.lru_cache(maxsize=_OPEN_ARCHIVES)
def _descriptor(path: str) -> int:
    """Returns a descriptor of an archive that stays open for as long as the process lives."""
    return os.open(path, os.O_RDONLY)
