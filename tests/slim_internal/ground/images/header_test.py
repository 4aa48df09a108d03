"""What headers say, and the faults that they and a missing end betray."""

import struct

import pytest

from slim_internal.ground.images import header
from slim_internal.ground.images.image import BadImageError
from tests.datasets.converters.imagenet import fake_ilsvrc
from tests.datasets.converters.imagenet.fake_ilsvrc import encode

PICTURE = fake_ilsvrc.picture(1, 24, 32)
JPEG = encode(PICTURE)


def with_orientation() -> bytes:
    exif = PICTURE.getexif()
    exif[0x0112] = 6  # To be turned by a quarter before it is shown.
    return encode(PICTURE, exif=exif)


def with_thumbnail() -> bytes:
    """A JPEG that holds another one, with its own size and end, in front of its picture data."""
    thumbnail = encode(PICTURE.resize((8, 6)))
    segment = b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 2) + thumbnail
    return JPEG[:2] + segment + JPEG[2:]


GOOD = {
    "baseline": (JPEG, ("JPEG", 24, 32, 3)),
    "progressive": (encode(PICTURE, progressive=True), ("JPEG", 24, 32, 3)),
    "greyscale": (encode(PICTURE.convert("L")), ("JPEG", 24, 32, 1)),
    "CMYK": (encode(PICTURE.convert("CMYK")), ("JPEG", 24, 32, 4)),
    "EXIF turned": (with_orientation(), ("JPEG", 24, 32, 3)),
    "thumbnail": (with_thumbnail(), ("JPEG", 24, 32, 3)),
    "trailing garbage": (JPEG + b"garbage" * 100, ("JPEG", 24, 32, 3)),
    "bytes between segments": (JPEG[:2] + b"\0\0" + JPEG[2:], ("JPEG", 24, 32, 3)),
    "PNG": (encode(PICTURE, "PNG"), ("PNG", 24, 32, 0)),
    "16-bit PNG": (encode(PICTURE.convert("I;16"), "PNG"), ("PNG", 24, 32, 0)),
}


@pytest.mark.parametrize(("data", "expected"), GOOD.values(), ids=GOOD)
def test_reads_the_header(data, expected):
    assert header.inspect(data) == expected


START_OF_SCAN = JPEG.index(b"\xff\xda")
BAD = {
    "empty": (b"", "it is empty"),
    "text": (b"<html>not found</html>", "not a JPEG or PNG"),
    "GIF": (encode(PICTURE, "GIF"), "it is GIF"),
    "WebP": (encode(PICTURE, "WebP"), "it is WebP"),
    "cut at 10 %": (JPEG[: len(JPEG) // 10], "cut off within its header"),
    "cut at 50 %": (JPEG[: len(JPEG) // 2], "cut off within its header"),
    "cut before its data": (JPEG[:START_OF_SCAN], "cut off within its header"),
    "cut within its data": (JPEG[: START_OF_SCAN + 20], "its end marker is missing"),
    "cut at 99 %": (JPEG[: len(JPEG) * 99 // 100], "its end marker is missing"),
    "without its last byte": (JPEG[:-1], "its end marker is missing"),
    "with a thumbnail but no end": (with_thumbnail()[:-2], "its end marker is missing"),
    "huge": (fake_ilsvrc.huge_header(), "65500 x 65500 pixels"),
    "no pixels": (JPEG.replace(struct.pack(">HH", 24, 32), bytes(4)), "gives no size"),
    "ends at once": (b"\xff\xd8\xff\xd9", "ends before its image data"),
    "no frame": (b"\xff\xd8" + JPEG[START_OF_SCAN:], "before its size"),
    "12 bits": (JPEG.replace(b"\xff\xc0\x00\x11\x08", b"\xff\xc0\x00\x11\x0c"), "12 bits"),
    "lossless": (JPEG.replace(b"\xff\xc0", b"\xff\xc3"), "rare kind"),
    "two components": (
        JPEG.replace(struct.pack(">HHB", 24, 32, 3), struct.pack(">HHB", 24, 32, 2)),
        "2 color components",
    ),
    "PNG without its end": (encode(PICTURE, "PNG")[:-12], "its end is missing"),
    "PNG without its last byte": (encode(PICTURE, "PNG")[:-1], "its end is missing"),
    "PNG with a flipped bit": (
        encode(PICTURE, "PNG").replace(b"IDATx", b"IDATy"),
        "its part b'IDAT' is damaged",
    ),
    "PNG cut within its header": (encode(PICTURE, "PNG")[:20], "cut off within its header"),
}


@pytest.mark.parametrize(("data", "reason"), BAD.values(), ids=BAD)
def test_says_what_is_wrong(data, reason):
    with pytest.raises(BadImageError, match=reason):
        header.inspect(data)


@pytest.mark.parametrize("length", range(0, len(JPEG), 7))
def test_a_jpeg_cut_anywhere_is_bad(length):
    with pytest.raises(BadImageError):
        header.inspect(JPEG[:length])
