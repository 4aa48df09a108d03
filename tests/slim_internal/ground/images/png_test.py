"""PNG files that decoders disagree about, and those that only look odd."""

import struct
import tracemalloc
import zlib

import pytest

from slim_internal.ground.images import png
from slim_internal.ground.images.image import BadImageError
from tests.slim_internal.ground.images import mutations
from tests.slim_internal.ground.images.mutations import chunk, chunks, encoded, noise

PNG = encoded(noise(), "PNG")
PALETTE = encoded(noise().quantize(16), "PNG")
HEADER, DATA, END = chunks(PNG)
STREAM = DATA[8:-4]
ROWS = zlib.decompress(STREAM)
COMMENT = chunk(b"tEXt", b"Comment\0none")


def joined(*parts: bytes) -> bytes:
    return png.SIGNATURE + b"".join(parts)


def header(**changes: int) -> bytes:
    fields = {"width": mutations.WIDTH, "height": mutations.HEIGHT, "bits": 8, "color": 2}
    fields |= {"compression": 0, "filtering": 0, "interlacing": 0} | changes
    return chunk(b"IHDR", struct.pack(">IIBBBBB", *fields.values()))


def data(stream: bytes) -> bytes:
    return chunk(b"IDAT", stream)


BAD = {
    "stream without its checksum": (joined(HEADER, data(STREAM[:-4]), END), "is cut off"),
    "stream without its end": (joined(HEADER, data(STREAM[:-40]), END), "is cut off"),
    "stream of garbage": (joined(HEADER, data(b"garbage"), END), "is damaged"),
    "no data": (joined(HEADER, END), "no image data"),
    "a row missing": (
        joined(HEADER, data(zlib.compress(ROWS[: -len(ROWS) // mutations.HEIGHT])), END),
        "rows of it are missing",
    ),
    "a byte missing": (joined(HEADER, data(zlib.compress(ROWS[:-1])), END), "rows of it are"),
    "unknown filter": (joined(HEADER, data(zlib.compress(b"\5" + ROWS[1:])), END), "row of it is"),
    "a pass missing": (joined(header(interlacing=1), DATA, END), "row"),
    "palette missing": (
        joined(*[part for part in chunks(PALETTE) if part[4:8] != b"PLTE"]),
        "palette is missing",
    ),
    "palette of two bytes": (
        joined(*[chunk(b"PLTE", b"ab") if p[4:8] == b"PLTE" else p for p in chunks(PALETTE)]),
        "palette is damaged",
    ),
    "palette behind the data": (
        joined(
            *sorted(
                chunks(PALETTE), key=lambda p: [b"IHDR", b"IDAT", b"PLTE", b"IEND"].index(p[4:8])
            )
        ),
        "palette comes after",
    ),
    "two headers": (joined(HEADER, HEADER, DATA, END), "twice"),
    "header not first": (joined(COMMENT, HEADER, DATA, END), "within its header"),
    "data interrupted": (
        joined(HEADER, data(STREAM[:20]), COMMENT, data(STREAM[20:]), END),
        "interrupted",
    ),
    "unknown part that matters": (joined(HEADER, chunk(b"ABCD", b""), DATA, END), "unknown"),
    "name of a part": (joined(HEADER, chunk(b"1BCD", b""), DATA, END), "is damaged"),
    "3 bits": (joined(header(bits=3), DATA, END), "is invalid"),
    "color type 1": (joined(header(color=1), DATA, END), "is invalid"),
    "color type 3 of 16 bits": (joined(header(color=3, bits=16), DATA, END), "is invalid"),
    "compression 1": (joined(header(compression=1), DATA, END), "is invalid"),
    "interlacing 2": (joined(header(interlacing=2), DATA, END), "is invalid"),
    "wider than libpng allows": (joined(header(width=1_000_001), DATA, END), "is longer than"),
}


@pytest.mark.parametrize(("content", "reason"), BAD.values(), ids=BAD)
def test_what_tensorflow_would_refuse_is_bad(content, reason):
    def look_closely():
        png.inspect(content)
        png.check(content)

    with pytest.raises(BadImageError, match=reason):
        look_closely()


GOOD = {
    "plain": PNG,
    "palette": PALETTE,
    "interlaced": mutations.interlaced(),
    "16 bits": mutations.sixteen_bits(),
    "1 bit": encoded(noise().convert("1"), "PNG"),
    "data in many parts": joined(
        HEADER, *[data(STREAM[i : i + 9]) for i in range(0, len(STREAM), 9)], END
    ),
    "empty part of the data": joined(HEADER, data(b""), DATA, data(b""), END),
    "comments everywhere": joined(HEADER, COMMENT, DATA, COMMENT, END),
    "comment with a false checksum": joined(HEADER, COMMENT[:-1] + b"?", DATA, END),
    "stream of a small window": joined(
        HEADER, data((c := zlib.compressobj(wbits=9)).compress(ROWS) + c.flush()), END
    ),
    "more rows than needed": joined(HEADER, data(zlib.compress(ROWS + bytes(99))), END),
}


@pytest.mark.parametrize("content", GOOD.values(), ids=GOOD)
def test_what_only_looks_odd_is_good(content):
    png.inspect(content)
    png.check(content)


def test_a_stream_that_claims_gigabytes_is_unpacked_in_pieces():
    """64 MiB of rows in 64 kB: what is held at a time is a block."""
    width, height = 4096, 16_384
    rows = bytes((1 + width) * height)
    content = joined(header(width=width, height=height, color=0), data(zlib.compress(rows)), END)
    del rows
    tracemalloc.start()
    png.check(content)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 16 << 20


def test_only_what_pixels_depend_on_is_given_to_a_decoder():
    profile = chunk(b"iCCP", b"profile\0\0" + zlib.compress(bytes(2 << 20)))
    content = joined(HEADER, profile, COMMENT, DATA, END)
    assert png.without_metadata(content) == PNG
    assert not png.has_heavy_metadata(content)
    assert png.has_heavy_metadata(joined(HEADER, chunk(b"prIv", bytes(8_000_001)), DATA, END))
