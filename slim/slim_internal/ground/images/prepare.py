"""Makes of any image file one that TensorFlow decodes to the image that a person sees.

An image that is right as it is keeps its bytes. Everything else is rewritten: other formats (GIF
and WebP: the first frame), CMYK, and photographs that are to be turned before they are shown. What
a file is tells its content, never its name. Metadata is never given to a decoder, so that damage
in it costs no image.
"""

import contextlib
import dataclasses
import io
import warnings
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageFile

from slim_internal.ground import errors
from slim_internal.ground.images import header, jpeg, orientation, pixels, png
from slim_internal.ground.images.image import MAX_PIXELS, BadImageError, EncodedImage

# Many times as long as any photograph; preprocessing resizes the short side to hundreds of pixels,
# so the long side of a thinner image would take gigabytes.
_MAX_ASPECT_RATIO = 100

_EXTENSIONS = {"JPEG": "jpg", "PNG": "png"}
_ANY_FORMAT = ("JPEG", "PNG", "GIF", "BMP", "WebP")
_NEARLY_BLACK = 64  # Of 256 levels; where 16 bits hold values of 14 bits, none is brighter.
_TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Policy:
    """What may stay as it is, and what becomes of the rest.

    Attributes:
      upright: Whether to turn an image upright that its metadata says is not.
      accepted: Formats that are not refused, by the names that `header.kind` gives them.
      kept: Formats that may go into a record. What is in another one is rewritten in the last.
      quality: Of a JPEG that is rewritten, 1..100.
      subsampling: Of its colors; 0 for none, -1 for the encoder's choice.
      decode: Whether to check the whole of a JPEG. Else header and end marker are believed.
    """

    upright: bool = True
    accepted: tuple[str, ...] = _ANY_FORMAT
    kept: tuple[str, ...] = ("JPEG", "PNG")
    quality: int = 95
    subsampling: int = 0
    decode: bool = True


ANYBODYS = Policy()
# As the publisher of a dataset meant them: nothing is turned.
PUBLISHED = Policy(upright=False)


def prepare(data: bytes, policy: Policy = ANYBODYS) -> EncodedImage:
    """Returns the image for a record.

    Args:
      data: The bytes of the file.
      policy: What to do with which kind.

    Raises:
      BadImageError: if it is damaged, too large, too thin, or not an image.
    """
    image_format = header.require_kind(data, policy.accepted)
    if image_format not in _EXTENSIONS:
        return _rewrite(_read(data, policy), image_format, policy, image_format)
    found = header.inspect(data)
    _check_shape(found.height, found.width)
    change = _reason_to_rewrite(data, found, policy)
    if change:
        return _rewrite(_read(data, policy), image_format, policy, change)
    remark = ""
    if image_format == "PNG":
        png.check(data)
        remark = remark_on(data)
    elif policy.decode:
        _read(data, policy)
    return EncodedImage(data, _EXTENSIONS[image_format], found.height, found.width, "", remark)


def repair(data: bytes, policy: Policy = ANYBODYS) -> EncodedImage:
    """Returns what can be read of a bad image; what is missing of it stays gray or black.

    Images of formats that the policy does not accept are repaired by being rewritten.

    Raises:
      BadImageError: if not even its header can be read, or it is too large or too thin.
    """
    image_format = header.kind(data)
    with _tolerance():
        return _rewrite(_open(data, policy.upright), image_format, policy, "repaired")


def open_checked(data: bytes, *, decode: bool = True) -> Image.Image:
    """Returns the image that a stored file holds, as it is stored, for Pillow to work with.

    Args:
      data: The bytes of the file.
      decode: Whether to check the whole of it, else header and end.

    Raises:
      BadImageError: if it cannot be read, by Pillow or by TensorFlow.
    """
    if header.kind(data) in _EXTENSIONS:
        (header.check if decode else header.inspect)(data)
    return _open(data, upright=False, load=decode)


def decode_rgb(data: bytes) -> np.ndarray:
    """Decodes an image of any kind that Pillow reads.

    Args:
      data: The bytes of the image file.

    Returns:
      The image, `[height, width, 3]` uint8. Transparency is dropped, 16 bits per sample lose
      the lower half, EXIF orientation is not applied: all as TensorFlow's decoders do.

    Raises:
      BadImageError: if the image is damaged, too large or of an unknown kind.
    """
    return np.asarray(pixels.to_rgb(_open(data, upright=False)))


def _reason_to_rewrite(data: bytes, found: header.ImageHeader, policy: Policy) -> str:
    """Returns why a JPEG or PNG cannot go into a record as it is, or ""."""
    if found.format not in policy.kept:
        return found.format
    if found.components == 4:
        return "CMYK or YCCK JPEG"
    if policy.upright and _orientation(data, found.format) != orientation.UPRIGHT:
        return "turned upright"
    if found.format == "PNG" and png.has_heavy_metadata(data):
        return "PNG with large metadata"
    if found.format == "JPEG" and not data.startswith(jpeg.PLAIN_SIGNATURE):
        return "JPEG with other bytes in its header"
    return ""


def _orientation(data: bytes, image_format: str) -> int:
    return (jpeg if image_format == "JPEG" else png).exif_orientation(data)


def _read(data: bytes, policy: Policy) -> Image.Image:
    """Decodes an image after a close look at its structure."""
    if header.kind(data) in _EXTENSIONS:
        header.check(data)
    return _open(data, policy.upright)


def _open(data: bytes, upright: bool, *, load: bool = True) -> Image.Image:
    """Opens an image with Pillow, without its metadata, and turns it if that is wished."""
    image_format = header.kind(data)
    bare, turned = data, orientation.UPRIGHT
    with contextlib.suppress(BadImageError):  # What is being repaired may have no structure.
        if image_format in _EXTENSIONS:
            module = jpeg if image_format == "JPEG" else png
            turned = module.exif_orientation(data)
            bare = module.without_metadata(data)
    with _explained():
        image = Image.open(io.BytesIO(bare))
        if image.width * image.height > MAX_PIXELS:
            raise BadImageError(
                f"its header claims {image.width} x {image.height} pixels, more than {MAX_PIXELS}"
            )
        if load:
            image.load()
        if image_format not in _EXTENSIONS:
            exif = image.info.get("exif")
            turned = orientation.of_metadata(exif) if isinstance(exif, bytes) else turned
        if upright and turned in _TRANSPOSITIONS:
            return image.transpose(_TRANSPOSITIONS[turned])
        return image


def _rewrite(image: Image.Image, image_format: str, policy: Policy, change: str) -> EncodedImage:
    _check_shape(image.height, image.width)
    new_format = image_format if image_format in policy.kept else policy.kept[-1]
    options = {}
    if new_format == "JPEG":
        options = {"quality": policy.quality, "subsampling": policy.subsampling}
    encoded = pixels.encode(pixels.to_rgb(image), new_format, **options)
    return EncodedImage(encoded, _EXTENSIONS[new_format], image.height, image.width, change)


def _check_shape(height: int, width: int) -> None:
    if max(height, width) > _MAX_ASPECT_RATIO * min(height, width):
        raise BadImageError(
            f"it is {width} x {height} pixels: one side is more than {_MAX_ASPECT_RATIO} times as "
            "long as the other"
        )


def remark_on(data: bytes) -> str:
    """Returns what is to be said of an intact image whose pixels are not what they seem, or ""."""
    if header.kind(data) != "PNG" or not png.is_deep(data):
        return ""
    brightest = int(decode_rgb(data).max())
    if brightest >= _NEARLY_BLACK:
        return ""
    return (
        f"it is nearly black: of its 16 bits per sample only the lower {brightest.bit_length() + 8}"
        " are used"
    )


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """Turns whatever Pillow's readers raise about a file into one kind of error."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except BadImageError:
        raise
    except Image.DecompressionBombError:
        raise BadImageError(f"its header claims more than {MAX_PIXELS} pixels") from None
    except Image.UnidentifiedImageError:
        raise BadImageError("it cannot be decoded: its header is damaged") from None
    except Exception as error:  # Pillow's plug-ins raise whatever a damaged file leads them to.
        errors.raise_if_out_of_memory(error)
        raise BadImageError(f"it cannot be decoded: {error}") from error


@contextlib.contextmanager
def _tolerance() -> Iterator[None]:
    """Lets Pillow go on at the end of an image that is cut off; it knows no other way to ask."""
    before = ImageFile.LOAD_TRUNCATED_IMAGES
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    try:
        yield
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = before
