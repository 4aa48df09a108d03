"""One image before it is converted: where its bytes are and what it shows."""

import contextlib
import functools
import os
import zlib
from typing import NamedTuple

from datasets.imagenet_classes import ImagenetClass
from slim_internal.ground import errors
from slim_internal.ground.images import reading
from slim_internal.ground.images.image import BadImageError

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
      sample: Checksum by which another image of this name and size is noticed; see `with_sample`.
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

    def with_sample(self, *, vouched_for: bool) -> "Source":
        """Returns the same image with a checksum of its first and last bytes, or of all.

        Args:
          vouched_for: Whether the digest of the whole archive has been compared. Then the bytes
            that cost no further seek suffice; else all are read, as that would have taken.
        """
        data = b""
        with contextlib.suppress(BadImageError, OSError):  # Of nothing, if it cannot be read.
            data = self._ends() if vouched_for else self.read()
        return self._replace(sample=zlib.crc32(data))

    def _alone(self) -> bytes:
        try:
            return reading.read(self.path)
        except BadImageError as error:  # What the machine cannot do is no fault of the image.
            raise error.__cause__ if isinstance(error.__cause__, OSError) else error from None

    def _ends(self) -> bytes:
        descriptor, count = _descriptor(self.path), min(self.size, _SAMPLE)
        first = os.pread(descriptor, count, self.offset)
        return first + os.pread(descriptor, count, self.offset + self.size - count)

    def read(self) -> bytes:
        """Returns the bytes of the image.

        Raises:
          UserError: if the file no longer holds them all.
          BadImageError: if it is no file.
          OSError: if it cannot be read.
        """
        if self.offset is None:
            data = self._alone()
        else:
            data = os.pread(_descriptor(self.path), self.size, self.offset)
        if len(data) != self.size:
            raise errors.UserError(f"{str(self)!r} has changed since the conversion began.")
        return data


@functools.lru_cache(maxsize=_OPEN_ARCHIVES)
def _descriptor(path: str) -> int:
    """Returns a descriptor of an archive that stays open for as long as the process lives."""
    return os.open(path, os.O_RDONLY)
