"""JPEG files that decoders disagree about, and those that only look odd."""

import io
import re

import numpy as np
import pytest
from PIL import Image

from slim_internal.ground.images import jpeg
from slim_internal.ground.images.image import BadImageError
from tests.slim_internal.ground.images.mutations import encoded, noise, with_orientation

JPEG = encoded(noise())
RESTARTS = encoded(noise(), restart_marker_blocks=2)
PROGRESSIVE = encoded(noise(), progressive=True)


def scan(content: bytes) -> int:
    """Returns where the image data of the first scan begins."""
    start = content.index(b"\xff\xda")
    return start + 2 + int.from_bytes(content[start + 2 : start + 4])


def with_segment(content: bytes, marker: int, data: bytes) -> bytes:
    """Returns a JPEG with one more segment behind its first marker."""
    length = (len(data) + 2).to_bytes(2)
    return content[:2] + bytes([0xFF, marker]) + length + data + content[2:]


def put(content: bytes, offset: int, data: bytes) -> bytes:
    """Puts some bytes into the image data."""
    start = scan(content) + offset
    return content[:start] + data + content[start + len(data) :]


NUM_RESTARTS = len(re.findall(rb"\xff[\xd0-\xd7]", RESTARTS[scan(RESTARTS) :]))
FIRST_RESTART = RESTARTS.index(b"\xff\xd0", scan(RESTARTS))
BAD = {
    "marker inside the data": (put(JPEG, 30, b"\xff\xc4\0\x09"), "a marker|cut off"),
    "new frame inside the data": (put(JPEG, 30, b"\xff\xc0\0\x02"), "marker inside"),
    "restart where none is": (put(JPEG, 30, b"\xff\xd3"), "restart marker inside"),
    "restart zeroed": (
        RESTARTS[:FIRST_RESTART] + bytes(2) + RESTARTS[FIRST_RESTART + 2 :],
        "missing or out of order",
    ),
    "restart out of order": (
        RESTARTS[:FIRST_RESTART] + b"\xff\xd5" + RESTARTS[FIRST_RESTART + 2 :],
        "missing or out of order",
    ),
    "end too early": (put(RESTARTS, 30, b"\xff\xd9"), "missing or out of order"),
    "second image inside": (put(JPEG, 30, b"\xff\xd8"), "second image"),
    "unknown marker": (with_segment(JPEG, 0x42, b"data"), "wrong place"),
    "segment without length": (JPEG[:2] + b"\xff\xe5\0\0" + JPEG[2:], "has no length"),
}


@pytest.mark.parametrize(("content", "reason"), BAD.values(), ids=BAD)
def test_what_a_decoder_would_trip_over_is_bad(content, reason):
    with pytest.raises(BadImageError, match=reason):
        jpeg.check(content)


GOOD = {
    "plain": JPEG,
    "restarts": RESTARTS,
    "restarts by row": encoded(noise(), restart_marker_rows=1, subsampling=0),
    "one restart more": RESTARTS[:-2] + bytes([0xFF, 0xD0 + NUM_RESTARTS % 8]) + RESTARTS[-2:],
    "progressive": PROGRESSIVE,
    "progressive with restarts": encoded(noise(), progressive=True, restart_marker_blocks=3),
    "gray": encoded(noise().convert("L"), restart_marker_blocks=5),
    "comment": with_segment(JPEG, 0xFE, b"\xff\xd9\xff\xda"),
    "comment behind the data": JPEG[:-2] + b"\xff\xfe\0\x04ab" + JPEG[-2:],
    "fill bytes": JPEG[:-2] + b"\xff\xff\xff" + JPEG[-2:],
    "trailing garbage": JPEG + b"\xff\xc0garbage",
}


@pytest.mark.parametrize("content", GOOD.values(), ids=GOOD)
def test_what_only_looks_odd_is_good(content):
    jpeg.inspect(content)
    jpeg.check(content)


def test_only_what_pixels_depend_on_is_given_to_a_decoder():
    content = with_segment(with_orientation(6), 0xE2, b"MPF\0 damaged")
    bare = jpeg.without_metadata(content)
    assert b"Exif" not in bare
    assert b"MPF" not in bare
    before, after = (np.asarray(Image.open(io.BytesIO(each))) for each in (content, bare))
    np.testing.assert_array_equal(before, after)
    inks = encoded(noise().convert("CMYK"))
    assert jpeg.without_metadata(with_segment(inks, 0xFE, b"text")) == inks
