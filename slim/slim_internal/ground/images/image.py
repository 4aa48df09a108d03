"""What the modules of this room exchange: headers, encoded images, and what is wrong with one."""

from typing import NamedTuple

# What Pillow takes for the largest honest image. A header may claim 65,500 x 65,500 pixels in
# front of no data at all; the claim is checked before any of it is believed.
MAX_PIXELS = 89_478_485


class BadImageError(ValueError):
    """An image that cannot be used; the message says what is wrong with it."""


class ImageHeader(NamedTuple):
    """What an image's header claims.

    Attributes:
      format: "JPEG" or "PNG".
      height: In pixels.
      width: In pixels.
      components: Number of color components: 1 grayscale, 3 YCbCr or RGB, 4 CMYK or YCCK of a
        JPEG; 0 for a PNG, whose colors may come from a palette.
    """

    format: str
    height: int
    width: int
    components: int


class EncodedImage(NamedTuple):
    """An image as it goes into a record.

    Attributes:
      encoded: Its bytes.
      format: "jpg" or "png".
      height: In pixels.
      width: In pixels.
      change: Why the bytes are not those of the source ("CMYK or YCCK JPEG"), or "".
      remark: What is unusual about an image that is kept all the same, or "".
    """

    encoded: bytes
    format: str
    height: int
    width: int
    change: str = ""
    remark: str = ""
