"""What becomes of each kind of picture, compared with what TensorFlow's decoders make of it."""

import io
import zlib

import numpy as np
import pytest
from PIL import Image, ImageFile

from datasets import build_imagenet_data
from datasets.converters.imagenet import worker
from slim_internal.ground.compat import tf
from slim_internal.ground.images import prepare
from slim_internal.ground.images.image import BadImageError, EncodedImage
from tests.datasets.converters.imagenet import fake_ilsvrc
from tests.datasets.converters.imagenet.fake_ilsvrc import encode
from tests.slim_internal.ground.images import mutations

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


def test_an_image_is_not_bad_for_want_of_memory(monkeypatch):
    def load(image):
        raise MemoryError

    monkeypatch.setattr(ImageFile.ImageFile, "load", load)
    with pytest.raises(MemoryError):
        original(JPEG, decode=True)


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


def with_tag_of_odd_type() -> bytes:
    """A photograph to be turned, with one EXIF tag of a type that nobody knows."""
    exif = PICTURE.getexif()
    exif[0x0112] = 6
    exif[0x010F] = "Maker"
    data = bytearray(encode(PICTURE, exif=exif, quality=95))
    entry = data.index(b"\x01\x0f\0\x02") if b"MM\0*" in data else data.index(b"\x0f\x01\2\0")
    data[entry + 2 : entry + 4] = b"\x63\x63"
    return bytes(data)


def with_broken_exif() -> bytes:
    block = b"Exif\0\0garbage in place of a directory"
    return JPEG[:2] + b"\xff\xe1" + (len(block) + 2).to_bytes(2) + block + JPEG[2:]


def with_large_profile(size: int) -> bytes:
    header, *others = mutations.chunks(encode(PICTURE, "PNG"))
    profile = mutations.chunk(b"iCCP", b"profile\0\0" + zlib.compress(bytes(size)))
    private = mutations.chunk(b"prIv", bytes(size))
    return mutations.PNG_SIGNATURE + b"".join((header, profile, private, *others))


# What is wrong with the metadata -> the file, its height, and whether its bytes are kept.
METADATA = {
    "tag of an odd type": (with_tag_of_odd_type(), 56, False),
    "no EXIF in the EXIF block": (with_broken_exif(), 40, True),
    "profile of 3 MB": (with_large_profile(3_000_000), 40, True),
    "profile and private part of 9 MB": (with_large_profile(9_000_000), 40, False),
    "text with a false checksum": (
        encode(PICTURE, "PNG")[:33] + b"\0\0\0\x04tEXtabc\0????" + encode(PICTURE, "PNG")[33:],
        40,
        True,
    ),
    "bytes in front of the first segment": (JPEG[:2] + b"\0\0" + JPEG[2:], 40, False),
}


@pytest.mark.parametrize(("data", "height", "kept"), METADATA.values(), ids=METADATA)
def test_broken_metadata_costs_no_image(data, height, kept):
    image = prepare.prepare(data)
    assert (image.height, image.encoded == data) == (height, kept)
    assert tensorflow_pixels(image.encoded).shape == (image.height, image.width, 3)
    expected = np.asarray(PICTURE.rotate(-90, expand=True) if height == 56 else PICTURE)
    assert np.abs(tensorflow_pixels(image.encoded).astype(int) - expected).mean() < 3


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("maximum", "bits"), [(1023, 10), (4095, 12), (16_383, 14), (16_384, None), (65_535, None)]
)
def test_values_that_leave_most_of_16_bits_empty_are_pointed_out(maximum, bits, channels):
    image = prepare.prepare(mutations.sixteen_bits(maximum, channels))
    expected = f"it is nearly black: of its 16 bits per sample only the lower {bits} are used"
    assert image.remark == (expected if bits else "")


@pytest.mark.parametrize("size", [(2000, 1), (1, 2000), (9000, 1), (4101, 41)])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "GIF", "WEBP"])
def test_thin_images_are_refused_before_they_are_enlarged(size, kind):
    data = encode(PICTURE.resize(size), kind)
    with pytest.raises(BadImageError, match="more than 100 times as long") as caught:
        prepare.prepare(data)
    assert f"it is {size[0]} x {size[1]} pixels" in str(caught.value)
    with pytest.raises(BadImageError, match="more than 100 times as long"):
        prepare.repair(data)
    assert prepare.prepare(encode(PICTURE.resize((4000, 41)), kind)).width == 4000


OTHER_KINDS = {
    "HEIC": b"\0\0\0\x18ftypheic" + bytes(16),
    "SVG": b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>',
    "AVIF": b"\0\0\0\x20ftypavif" + bytes(16),
    "TIFF": encode(PICTURE, "TIFF"),
    "JPEG 2000": b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(16),
    "JPEG XL": b"\xff\x0a" + bytes(16),
    "PDF": b"%PDF-1.7",
}


@pytest.mark.parametrize("kind", OTHER_KINDS)
def test_other_kinds_are_called_by_their_names(kind):
    with pytest.raises(BadImageError, match=f"it is {kind}, not JPEG, PNG, GIF, BMP or WebP"):
        prepare.prepare(OTHER_KINDS[kind])


def test_stored_images_are_looked_at_as_closely():
    short = mutations.png(b"\0\0\0\x20\0\0\0\x20\x08\0\0\0\0", bytes(33 * 31))
    prepare.open_checked(short, decode=False)
    with pytest.raises(BadImageError, match="rows of it are missing"):
        prepare.open_checked(short)
