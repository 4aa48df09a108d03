"""What becomes of each kind of picture, compared with what TensorFlow's decoders make of it."""

import io

import numpy as np
import pytest
from PIL import Image

from datasets import build_imagenet_data
from datasets.converters.imagenet import worker
from slim_internal.ground.compat import tf
from slim_internal.ground.images import prepare
from slim_internal.ground.images.image import BadImageError, EncodedImage
from tests.datasets.converters.imagenet import fake_ilsvrc
from tests.datasets.converters.imagenet.fake_ilsvrc import encode

PICTURE = fake_ilsvrc.picture(2, 40, 56)
JPEG = encode(PICTURE, quality=95)


def ycck() -> bytes:
    """A CMYK JPEG stored as YCCK, as Photoshop writes it."""
    # A decoder takes YCC for the opposite of the three inks. Pillow stores the opposite of the
    # planes it is given, and marks them as plain CMYK.
    planes = np.asarray(Image.fromarray(255 - np.asarray(PICTURE)).convert("YCbCr"))
    no_black = np.zeros((40, 56, 1), np.uint8)
    inks = np.concatenate([255 - planes, no_black], axis=2)
    data = bytearray(encode(Image.fromarray(inks, "CMYK"), quality=95))
    transform = data.index(b"Adobe") + 11
    data[transform] = 2
    return bytes(data)


def turned() -> bytes:
    exif = PICTURE.getexif()
    exif[0x0112] = 6  # To be turned by a quarter before it is shown.
    return encode(PICTURE, exif=exif)


def tensorflow_pixels(data: bytes) -> np.ndarray:
    with tf.Graph().as_default(), tf.Session() as session:
        if data.startswith(b"\x89PNG"):
            return session.run(tf.image.decode_png(data, channels=3))
        # As Pillow does it; TensorFlow's usual method is coarser.
        method = "INTEGER_ACCURATE"
        return session.run(tf.image.decode_jpeg(data, channels=3, dct_method=method))


def original(data: bytes, *, decode: bool = False) -> EncodedImage:
    """Returns what the converter of ImageNet makes of an image."""
    return prepare.prepare(data, worker.DECODED if decode else worker.HEADER_ONLY)


def pixels(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        assert image.format == "JPEG"
        assert image.mode == "RGB"
        return np.asarray(image)


def sixteen_bits() -> bytes:
    deep = np.asarray(PICTURE.convert("L")).astype(np.uint16) * 257
    return encode(Image.fromarray(deep), "PNG")


PASSED_ON = {
    "JPEG": JPEG,
    "progressive": encode(PICTURE, progressive=True),
    "greyscale": encode(PICTURE.convert("L")),
    "EXIF turned": turned(),
    "trailing garbage": JPEG + b"garbage",
}


@pytest.mark.parametrize("decode", [False, True], ids=["header", "decode"])
@pytest.mark.parametrize("data", PASSED_ON.values(), ids=PASSED_ON)
def test_jpegs_pass_byte_for_byte(data, decode):
    assert original(data, decode=decode) == EncodedImage(data, "jpg", 40, 56)


# Data, what it is called, how far the mean pixel of decoder and of record may be off: quality 100
# halves the resolution of colours, which a palette's grain suffers from.
REWRITTEN = {
    "CMYK": (encode(PICTURE.convert("CMYK"), quality=95), "CMYK or YCCK JPEG", 0.5, 1.5),
    "YCCK": (ycck(), "CMYK or YCCK JPEG", 0.5, 1.5),
    "PNG": (encode(PICTURE, "PNG"), "PNG", 0, 1.5),
    "PNG with a palette": (encode(PICTURE.quantize(64), "PNG"), "PNG", 0, 5),
    "PNG with transparency": (encode(PICTURE.convert("RGBA"), "PNG"), "PNG", 0, 1.5),
    "16-bit PNG": (sixteen_bits(), "PNG", 0, 0.5),
}


@pytest.mark.parametrize(
    ("data", "change", "decoded_by", "written_by"), REWRITTEN.values(), ids=REWRITTEN
)
def test_the_few_others_are_rewritten(data, change, decoded_by, written_by):
    picture = original(data)

    assert (picture.height, picture.width, picture.change) == (40, 56, change)
    expected = tensorflow_pixels(data).astype(int)
    assert np.abs(prepare.decode_rgb(data).astype(int) - expected).mean() <= decoded_by
    assert np.abs(pixels(picture.encoded) - expected).mean() < written_by


@pytest.mark.parametrize("kind", ["CMYK", "YCCK"])
def test_inks_become_the_colours_they_print(kind):
    decoded = prepare.decode_rgb(REWRITTEN[kind][0]).astype(int)
    assert np.abs(decoded - np.asarray(PICTURE)).mean() < 2


def test_rewriting_gives_the_same_bytes_each_time():
    data = REWRITTEN["YCCK"][0]
    assert original(data) == original(data)


def test_decoding_finds_what_the_header_does_not_show():
    table = JPEG.index(b"\xff\xdb")
    damaged = JPEG[:table] + JPEG[table + 2 + int.from_bytes(JPEG[table + 2 : table + 4]) :]
    original(damaged)
    with pytest.raises(BadImageError, match="cannot be decoded"):
        original(damaged, decode=True)


REPAIRED = {
    "cut at 50 %": (JPEG[: len(JPEG) // 2 + 400], 4, 56),
    "cut at 99 %": (JPEG[: len(JPEG) * 99 // 100], 30, 56),
    "GIF": (encode(PICTURE, "GIF"), 40, 56),
    "WebP": (encode(PICTURE, "WebP", quality=95), 40, 56),
}


@pytest.mark.parametrize(("data", "rows", "width"), REPAIRED.values(), ids=REPAIRED)
def test_repair_keeps_what_can_be_read(data, rows, width):
    picture = prepare.repair(data, worker.HEADER_ONLY)

    assert (picture.height, picture.width) == (40, width)
    difference = np.abs(pixels(picture.encoded)[:rows].astype(int) - np.asarray(PICTURE)[:rows])
    assert difference.mean() < 12
    assert tensorflow_pixels(picture.encoded).shape == (40, width, 3)


@pytest.mark.parametrize("data", [b"", b"text", JPEG[:100]], ids=["empty", "text", "header cut"])
def test_repair_cannot_make_a_picture_of_nothing(data):
    with pytest.raises(BadImageError):
        prepare.repair(data, worker.HEADER_ONLY)


def test_the_original_coder_is_still_there():
    coder = build_imagenet_data.ImageCoder()

    from_png = coder.png_to_jpeg(REWRITTEN["PNG"][0])
    from_cmyk = coder.cmyk_to_rgb(REWRITTEN["CMYK"][0])

    assert coder.decode_jpeg(from_png).shape == (40, 56, 3)
    np.testing.assert_array_equal(coder.decode_jpeg(from_cmyk), pixels(from_cmyk))
