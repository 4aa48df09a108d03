"""The chunks of a PNG file, ISO/IEC 15948: walked and unpacked, never turned into pixels.

`inspect` reads the header and the checksums of all chunks that matter. `check` finds what decoders
disagree about: chunks in the wrong order, a palette that is missing, and a compressed stream that
does not hold exactly the rows that the header promises.
"""

import re
import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from slim_internal.ground.images import orientation
from slim_internal.ground.images.image import BadImageError, ImageHeader

SIGNATURE = b"\x89PNG\r\n\x1a\n"

_MAX_SIDE = 1_000_000  # libpng's default; TensorFlow does not raise it.
_MAX_METADATA = 8_000_000  # Bytes of one chunk, likewise.
_BLOCK = 1 << 20  # Bytes to unpack at once.
_MAX_TEXT = 64 << 10

_CRITICAL = (b"IHDR", b"PLTE", b"IDAT", b"IEND")
_NAME = re.compile(rb"[A-Za-z]{4}")
# Color type -> allowed bits per sample, samples per pixel.
_GRAY, _RGB, _PALETTE, _GRAY_ALPHA, _RGB_ALPHA = 0, 2, 3, 4, 6
_COLOR_TYPES = {
    _GRAY: ((1, 2, 4, 8, 16), 1),
    _RGB: ((8, 16), 3),
    _PALETTE: ((1, 2, 4, 8), 1),
    _GRAY_ALPHA: ((8, 16), 2),
    _RGB_ALPHA: ((8, 16), 4),
}
_LAST_FILTER = 4
# Adam7: first column and row, step of columns and of rows, of each pass.
_PASSES = (
    *((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4)),
    *((0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)),
)


class _Chunk(NamedTuple):
    """A chunk: its name, and where its content begins and ends."""

    kind: bytes
    start: int
    end: int


class _Layout(NamedTuple):
    """The fields of the header chunk."""

    width: int
    height: int
    bits: int
    color_type: int
    compression: int
    filtering: int
    interlacing: int


def inspect(data: bytes) -> ImageHeader:
    """Returns what the header says; all chunks up to the last must be there and intact.

    Raises:
      BadImageError: if it is damaged or cut off.
    """
    if len(data) < 24 or data[12:16] != b"IHDR":
        raise BadImageError("it is cut off within its header")
    width, height = struct.unpack_from(">II", data, 16)
    for _ in _chunks(data):
        pass
    return ImageHeader("PNG", height, width, 0)


def check(data: bytes) -> None:
    """Looks closely at a PNG that `inspect` accepts.

    Raises:
      BadImageError: if chunks are missing, repeated or misplaced, or the rows are not all there.
    """
    chunks = list(_chunks(data))
    layout = _layout(data, chunks[0])
    _check_order(chunks, layout)
    pixels = (data[start:end] for kind, start, end in chunks if kind == b"IDAT")
    _check_rows(_unpacked(pixels), list(_rows(layout)))


def is_deep(data: bytes) -> bool:
    """Returns whether each sample has 16 bits."""
    return data[24] == 16


def has_heavy_metadata(data: bytes) -> bool:
    """Returns whether a chunk beside the image is so large that libpng gives up on the file."""
    return any(
        end - start > _MAX_METADATA for kind, start, end in _chunks(data) if kind not in _CRITICAL
    )


def exif_orientation(data: bytes) -> int:
    """Returns how the metadata says to turn it, 1 (upright) to 8; 1 if that cannot be read."""
    for kind, start, end in _chunks(data):
        content = data[start:end]
        if kind in (b"zTXt", b"tEXt", b"iTXt"):
            content = _text_metadata(kind, content)
        elif kind != b"eXIf":
            continue
        found = orientation.of_metadata(content)
        if found != orientation.UPRIGHT:
            return found
    return orientation.UPRIGHT


def without_metadata(data: bytes) -> bytes:
    """Returns the file with only the chunks that its pixels depend on."""
    kept = (data[start - 8 : end + 4] for kind, start, end in _chunks(data) if kind in _CRITICAL)
    return SIGNATURE + b"".join(kept)


def _text_metadata(kind: bytes, content: bytes) -> bytes:
    """Returns the EXIF or XMP block that a text chunk holds, or b""."""
    keyword, _, rest = content.partition(b"\0")
    if keyword == b"XML:com.adobe.xmp" and kind == b"iTXt":
        return rest[:_MAX_TEXT]
    if keyword != b"Raw profile type exif":
        return b""
    try:
        text = zlib.decompressobj().decompress(rest[1:], _MAX_TEXT) if kind == b"zTXt" else rest
        return bytes.fromhex("".join(text.decode("latin-1").split("\n")[3:]))
    except (zlib.error, ValueError):
        return b""


def _chunks(data: bytes) -> Iterator[_Chunk]:
    """Yields the chunks up to the last. Checksums count where the image depends on them."""
    position, kind = len(SIGNATURE), b""
    while kind != b"IEND":
        length = int.from_bytes(data[position : position + 4])
        kind, end = data[position + 4 : position + 8], position + 8 + length
        if end + 4 > len(data):
            raise BadImageError("it is cut off: its end is missing")
        if not _NAME.fullmatch(kind):
            raise BadImageError(f"its part {kind!r} is damaged")
        checksum = int.from_bytes(data[end : end + 4])
        if kind in _CRITICAL and zlib.crc32(data[position + 4 : end]) != checksum:
            raise BadImageError(f"its part {kind!r} is damaged")
        yield _Chunk(kind, position + 8, end)
        position = end + 4


def _layout(data: bytes, first: _Chunk) -> _Layout:
    if first.kind != b"IHDR" or first.end - first.start != 13:
        raise BadImageError("its header is damaged")
    layout = _Layout(*struct.unpack_from(">IIBBBBB", data, first.start))
    bits, _ = _COLOR_TYPES.get(layout.color_type, ((), 0))
    if layout.bits not in bits or layout.compression or layout.filtering or layout.interlacing > 1:
        raise BadImageError("its header is invalid")
    if max(layout.width, layout.height) > _MAX_SIDE:
        raise BadImageError(f"a side of it is longer than {_MAX_SIDE} pixels")
    return layout


def _check_order(chunks: list[_Chunk], layout: _Layout) -> None:
    kinds = [chunk.kind for chunk in chunks]
    for kind in kinds:
        if kind[:1].isupper() and kind not in _CRITICAL:
            raise BadImageError(f"its part {kind!r} is unknown but cannot be left out")
    if kinds.count(b"IHDR") > 1 or kinds.count(b"PLTE") > 1:
        raise BadImageError("a part of its header is there twice")
    if b"IDAT" not in kinds:
        raise BadImageError("it has no image data")
    first = kinds.index(b"IDAT")
    count = kinds.count(b"IDAT")
    if kinds[first : first + count] != [b"IDAT"] * count:
        raise BadImageError("its image data is interrupted by other parts")
    if b"PLTE" in kinds[first:]:
        raise BadImageError("its palette comes after its image data")
    sizes = [chunk.end - chunk.start for chunk in chunks if chunk.kind == b"PLTE"]
    if layout.color_type == _PALETTE and not sizes:
        raise BadImageError("its palette is missing")
    if any(size % 3 or not 0 < size <= 3 * 256 for size in sizes):
        raise BadImageError("its palette is damaged")


def _rows(layout: _Layout) -> Iterator[tuple[int, int]]:
    """Yields (number of rows, bytes of each with its filter) of every pass."""
    _, samples = _COLOR_TYPES[layout.color_type]
    for left, top, columns, rows in _PASSES if layout.interlacing else ((0, 0, 1, 1),):
        width = -(-(layout.width - left) // columns)
        height = -(-(layout.height - top) // rows)
        if width > 0 and height > 0:
            yield height, 1 + -(-width * samples * layout.bits // 8)


def _unpacked(parts: Iterator[bytes]) -> Iterator[bytes]:
    """Yields the content of a compressed stream in blocks, however much it claims to hold."""
    stream = zlib.decompressobj(0)  # With the window that the stream asks for, as libpng does.
    try:
        for part in parts:
            while part and not stream.eof:
                yield stream.decompress(part, _BLOCK)
                part = stream.unconsumed_tail
        yield stream.flush()
    except zlib.error as error:
        raise BadImageError(f"its image data is damaged ({error})") from None
    if not stream.eof:
        raise BadImageError("its image data is cut off")


def _check_rows(blocks: Iterator[bytes], passes: list[tuple[int, int]]) -> None:
    """Compares the unpacked rows with the number and length that they should have."""
    pending = b""
    missing, length = passes.pop(0)
    for block in blocks:
        pending += block
        while missing and (count := min(len(pending) // length, missing)):
            end = count * length
            if max(pending[:end:length]) > _LAST_FILTER:
                raise BadImageError("a row of it is damaged")
            pending = pending[end:]
            missing -= count
            if not missing and passes:
                missing, length = passes.pop(0)
        if not missing:
            pending = b""  # Decoders ignore what a stream holds beyond the last row.
    if missing:
        raise BadImageError("rows of it are missing")
