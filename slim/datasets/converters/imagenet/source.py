"""One image before it is converted: where its bytes are and what it shows."""

import functools
import os
import zlib
from typing import NamedTuple

from datasets.imagenet_classes import ImagenetClass
from slim_internal.ground import errors

_OPEN_ARCHIVES = 4  # Two are needed; descriptors of further ones would only pile up.
# Bytes; in an archive, the headers of this image and of the next lie just beside the two samples.
_SAMPLE = 1024

Box = tuple[float, float, float, float]


class Source(NamedTuple):
    """An image's place and labels.

    Attributes:
      path: The file that holds the image: an archive, or the image alone.
      offset: Its first byte in that file, None where the file is the image.
      size: Its size in bytes.
      filename: Its own file name, "n01440764_10026.JPEG".
      shows: The class of what it shows.
      boxes: Boxes around what it shows: (xmin, ymin, xmax, ymax) as fractions of width and height.
      sample: Checksum of its first and last bytes, by which another image of this name and size is
        noticed.
    """

    path: str
    offset: int | None
    size: int
    filename: str
    shows: ImagenetClass
    boxes: tuple[Box, ...] = ()
    sample: int = 0

    def __str__(self) -> str:
        return self.path if self.offset is None else f"{self.path}: {self.filename}"

    def read(self) -> bytes:
        """Returns the bytes of the image.

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


def sampled(path: str, offset: int, size: int) -> int:
    """Returns the checksum of the first and last bytes of an image, which cost no further seek."""
    count = min(size, _SAMPLE)
    first = zlib.crc32(os.pread(_descriptor(path), count, offset))
    return zlib.crc32(os.pread(_descriptor(path), count, offset + size - count), first)


@functools.lru_cache(maxsize=_OPEN_ARCHIVES)
def _descriptor(path: str) -> int:
    """Returns a descriptor of an archive that stays open for as long as the process lives."""
    return os.open(path, os.O_RDONLY)
