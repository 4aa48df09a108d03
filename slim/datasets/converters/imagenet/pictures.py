"""Makes of each picture's bytes what goes into its record.

Nearly all pictures go in as they are. The few that a reader of RGB JPEG pictures would stumble
over, CMYK and YCCK JPEG and PNG whatever their name, are rewritten as RGB JPEG at quality 100.
"""

import io
import warnings
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageFile

from slim_internal.ground.images import header as image_header
from slim_internal.ground.images import pixels as rgb
from slim_internal.ground.images.header import MAX_PIXELS, BadPictureError

_QUALITY = 100


class Picture(NamedTuple):
    """A picture as it goes into a record.

    Attributes:
      encoded: The bytes of a JPEG of one or three colour components.
      height: In pixels.
      width: In pixels.
      change: Why the bytes are not those of the source ("CMYK JPEG"), empty where they are.
    """

    encoded: bytes
    height: int
    width: int
    change: str = ""


def prepare(data: bytes, *, decode: bool = False) -> Picture:
    """Returns the picture for a record.

    Args:
      data: The bytes of the picture's file.
      decode: Whether to decode the whole picture as a check, not only look at its header and end.

    Raises:
      BadPictureError: if the picture is damaged, too large or neither JPEG nor PNG.
    """
    header = image_header.inspect(data)
    if header.format == "PNG":
        return _rewrite(data, "PNG")
    if header.components == 4:
        return _rewrite(data, "CMYK or YCCK JPEG")
    if decode:
        decode_rgb(data)
    return Picture(data, header.height, header.width)


def repair(data: bytes) -> Picture:
    """Returns what can be read of a bad picture, as an RGB JPEG; missing parts stay grey.

    Pictures of other kinds (GIF, WebP, ...) are repaired by being rewritten; of an animation the
    first frame is taken.

    Raises:
      BadPictureError: if not even its header can be read, or it is too large.
    """
    ImageFile.LOAD_TRUNCATED_IMAGES = True  # Pillow knows no other way to ask for it.
    try:
        return _rewrite(data, "repaired")
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = False


def decode_rgb(data: bytes) -> np.ndarray:
    """Decodes a picture of any kind that Pillow reads.

    Args:
      data: The bytes of the picture's file.

    Returns:
      The picture, `[height, width, 3]` uint8. Transparency is dropped, 16 bits per sample lose
      the lower half, EXIF orientation is not applied: all as TensorFlow's decoders do.

    Raises:
      BadPictureError: if the picture is damaged, too large or of an unknown kind.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data)) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise BadPictureError(f"it has {image.width} x {image.height} pixels")
                return np.asarray(rgb.to_rgb(image))
    except BadPictureError:
        raise
    except Exception as error:  # Pillow's plug-ins raise whatever a damaged file leads them to.
        raise BadPictureError(f"it cannot be decoded ({error})") from error


def encode_rgb_jpeg(pixels: np.ndarray) -> bytes:
    """Encodes a picture `[height, width, 3]` uint8 as JPEG of quality 100."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()


def _rewrite(data: bytes, change: str) -> Picture:
    pixels = decode_rgb(data)
    height, width, _ = pixels.shape
    return Picture(encode_rgb_jpeg(pixels), height, width, change)
