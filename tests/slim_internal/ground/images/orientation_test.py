"""Which way up an image is, from sound, odd and broken metadata."""

import struct
import zlib

import pytest
from PIL import Image

from slim_internal.ground.images import jpeg, orientation, png
from tests.slim_internal.ground.images.mutations import (
    chunk,
    chunks,
    encoded,
    noise,
    with_orientation,
)


def tiff(*entries: tuple[int, int, int, int], order: str = "<") -> bytes:
    """Returns a directory of entries: tag, type, count, value."""
    start = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(f"{order}I", 8)
    packed = b""
    for tag, kind, count, value in entries:
        field = struct.pack(f"{order}H2x" if kind == 3 else f"{order}I", value)
        packed += struct.pack(f"{order}HHI", tag, kind, count) + field
    return start + struct.pack(f"{order}H", len(entries)) + packed + bytes(4)


BLOCKS = {
    "little-endian": (tiff((0x0112, 3, 1, 6)), 6),
    "big-endian": (tiff((0x0112, 3, 1, 8), order=">"), 8),
    "long": (tiff((0x0112, 4, 1, 3)), 3),
    "behind a tag of an odd type": (tiff((0x010F, 77, 2, 1), (0x0112, 3, 1, 6)), 6),
    "with its prefix": (b"Exif\0\0" + tiff((0x0112, 3, 1, 6)), 6),
    "odd type": (tiff((0x0112, 99, 1, 6)), 1),
    "no such orientation": (tiff((0x0112, 3, 1, 9)), 1),
    "none": (tiff((0x010F, 3, 1, 6)), 1),
    "not a TIFF": (b"Exif\0\0garbage", 1),
    "cut off": (tiff((0x0112, 3, 1, 6))[:14], 1),
    "directory outside": (b"II*\0\xff\xff\xff\x7f", 1),
    "empty": (b"", 1),
    "XMP": (b'<rdf:Description tiff:Orientation="6"/>', 6),
    "XMP element": (b"<tiff:Orientation>8</tiff:Orientation>", 8),
}


@pytest.mark.parametrize(("block", "expected"), BLOCKS.values(), ids=BLOCKS)
def test_reads_what_can_be_read(block, expected):
    assert orientation.of_metadata(block) == expected


@pytest.mark.parametrize("value", range(1, 9))
def test_agrees_with_pillow(value):
    assert jpeg.exif_orientation(with_orientation(value)) == value
    assert png.exif_orientation(with_orientation(value, "PNG")) == value


@pytest.mark.parametrize("compress", [False, True])
def test_reads_the_profile_that_imagemagick_writes(compress):
    exif = Image.Exif()
    exif[0x0112] = 6
    block = exif.tobytes()
    text = f"\nexif\n{len(block):8d}\n{block.hex()}\n".encode()
    content = b"Raw profile type exif\0"
    part = (
        chunk(b"zTXt", content + b"\0" + zlib.compress(text))
        if compress
        else chunk(b"tEXt", content + text)
    )
    header, *others = chunks(encoded(noise(), "PNG"))
    assert png.exif_orientation(png.SIGNATURE + header + part + b"".join(others)) == 6
    broken = chunk(b"zTXt", content + b"\0garbage")
    assert png.exif_orientation(png.SIGNATURE + header + broken + b"".join(others)) == 1
