"""Makes of any picture file one that TensorFlow decodes to the picture that a person sees.

A JPEG or PNG that is right as it is keeps its bytes. Everything else is rewritten: other formats
(GIF and WebP: the first frame), CMYK, and photographs that are to be turned before they are shown.
What a file is tells its content, never its name.
"""

import contextlib
import dataclasses
import io
import warnings
from collections.abc import Iterator

from PIL import Image, ImageFile, ImageOps

from slim_internal.ground.images import header, pixels
from slim_internal.ground.images.header import MAX_PIXELS, BadPictureError

_ORIENTATION = 0x0112  # The EXIF tag; 1 means upright.
_JPEG_QUALITY = 95

# Pillow's name of the format -> what `image/format` says of a file kept as it is. MPO is what
# cameras call a JPEG with a second one behind it.
_KEPT_FORMATS = {"JPEG": "jpg", "MPO": "jpg", "PNG": "png"}
_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP")


@dataclasses.dataclass(frozen=True)
class Picture:
    """A picture as it goes into a record.

    Attributes:
      encoded: Its bytes.
      format: "jpg" or "png".
      height: In pixels.
      width: In pixels.
    """

    encoded: bytes
    format: str
    height: int
    width: int


def prepare(data: bytes, *, turn: bool = True, repair: bool = False) -> Picture:
    """Returns the picture for a record.

    Args:
      data: The bytes of the file.
      turn: Whether to turn a picture upright that its EXIF data says is not.
      repair: Whether to make do with what can be read of a damaged picture; what is missing of it
        stays grey or black.

    Raises:
      BadPictureError: It is damaged, too large, or no picture.
    """
    with _explained(), _tolerance(repair):
        if header.is_jpeg_or_png(data) and not repair:
            header.inspect(data)  # Finds a missing end that Pillow would not mind.
        image = Image.open(io.BytesIO(data), formats=_FORMATS)
        # A header may claim 65,500 x 65,500 pixels in front of no data at all.
        if image.width * image.height > MAX_PIXELS:
            raise BadPictureError(f"its header claims more than {MAX_PIXELS} pixels")
        image.load()
        kept_format = _KEPT_FORMATS.get(image.format)
        upright = not turn or image.getexif().get(_ORIENTATION, 1) == 1
        if kept_format and image.mode != "CMYK" and upright and not repair:
            return Picture(data, kept_format, image.height, image.width)
        return _rewrite(ImageOps.exif_transpose(image) if turn else image, kept_format or "png")


def _rewrite(image: Image.Image, new_format: str) -> Picture:
    buffer = io.BytesIO()
    image = pixels.to_rgb(image)
    if new_format == "jpg":
        image.save(buffer, format="JPEG", quality=_JPEG_QUALITY, subsampling=0)
    else:
        image.save(buffer, format="PNG")
    return Picture(buffer.getvalue(), new_format, image.height, image.width)


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """Turns whatever Pillow's readers raise about a file into one kind of error."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except BadPictureError:
        raise
    except Image.DecompressionBombError:
        raise BadPictureError(f"its header claims more than {MAX_PIXELS} pixels") from None
    except Image.UnidentifiedImageError:
        raise BadPictureError("it is no JPEG, PNG, GIF, BMP or WebP picture") from None
    except Exception as error:  # Pillow's plug-ins raise whatever a damaged file leads them to.
        raise BadPictureError(f"it cannot be decoded: {error}") from error


@contextlib.contextmanager
def _tolerance(tolerant: bool) -> Iterator[None]:
    """Lets Pillow go on at the end of a picture that is cut off, or not."""
    before = ImageFile.LOAD_TRUNCATED_IMAGES
    ImageFile.LOAD_TRUNCATED_IMAGES = tolerant
    try:
        yield
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = before
