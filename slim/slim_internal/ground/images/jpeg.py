"""The segments of a JPEG file, ITU-T T.81: walked, never decoded.

`inspect` reads the header and looks for the end; `check` follows every marker to the end, which
finds the damage that decoders disagree about: markers inside the image data, restarts that are
missing or out of order, and what only a decoder that reads on to the end marker trips over.
"""

import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

from slim_internal.ground.images import orientation
from slim_internal.ground.images.image import BadImageError, ImageHeader

SIGNATURE = b"\xff\xd8"
# What TensorFlow recognizes; bytes between the first two markers hide a JPEG from it.
PLAIN_SIGNATURE = b"\xff\xd8\xff"
_MAX_SIDE = 65_500  # libjpeg's own limit, a little below what 16 bits hold.

# Markers, T.81 table B.1.
_START_OF_IMAGE = 0xD8
_END_OF_IMAGE = 0xD9
_START_OF_SCAN = 0xDA
_QUANTIZATION, _HUFFMAN, _ARITHMETIC, _RESTART_INTERVAL, _LINES = 0xDB, 0xC4, 0xCC, 0xDD, 0xDC
_APPLICATION = range(0xE0, 0xF0)
_COMMENT = 0xFE
_PROGRESSIVE = 0xC2
_SUPPORTED_FRAMES = (0xC0, 0xC1, _PROGRESSIVE)  # Huffman coded: baseline, extended, progressive.
_OTHER_FRAMES = (0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF)
_WITHOUT_SEGMENT = (0x00, 0x01, *range(0xD0, 0xD8))  # Stuffing, TEM, RST0 to RST7.
_TABLES = (_QUANTIZATION, _HUFFMAN, _ARITHMETIC, _RESTART_INTERVAL, _LINES)
_METADATA = (*_APPLICATION, _COMMENT)
# The application segments that a decoder needs: JFIF and Adobe's say which colors these are.
_JFIF, _ADOBE, _EXIF = 0xE0, 0xEE, 0xE1

_END_OF_SCAN = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_RESTART = re.compile(rb"\xff([\xd0-\xd7])")
_RESTARTS = bytes(range(0xD0, 0xD8))


class _Frame(NamedTuple):
    """A frame header: kind of coding, and {component: (horizontal, vertical)} sampling factors."""

    header: ImageHeader
    progressive: bool
    sampling: dict[int, tuple[int, int]]


class _Segment(NamedTuple):
    """A marker, and where its content begins and ends."""

    marker: int
    start: int
    end: int


def inspect(data: bytes) -> ImageHeader:
    """Returns what the header says; the end marker must be there.

    Raises:
      BadImageError: if the header is damaged or of a rare kind, or the file is cut off.
    """
    frame = None
    for segment in _segments(data):
        if segment.marker == _END_OF_IMAGE:
            raise BadImageError("it ends before its image data")
        if segment.marker in _SUPPORTED_FRAMES:
            frame = _frame(data, segment)
        elif segment.marker in _OTHER_FRAMES:
            raise BadImageError(f"it is a JPEG of a rare kind (frame marker {segment.marker:#x})")
        elif segment.marker == _START_OF_SCAN:
            break
    if frame is None:
        raise BadImageError("its image data comes before its size")
    # Within image data 0xFF is always followed by a zero or a restart marker. Seen from the end
    # the marker is found at once.
    if data.rfind(b"\xff\xd9", segment.start) < 0:
        raise BadImageError("it is cut off: its end marker is missing")
    return frame.header


def check(data: bytes) -> None:
    """Follows the markers of a JPEG that `inspect` accepts to the end.

    Raises:
      BadImageError: if a decoder would trip over one of them, or miss a part of the image.
    """
    frame, interval, scanned = None, 0, set()
    for segment in _segments(data):
        marker = segment.marker
        complete = frame is not None and scanned == frame.sampling.keys()
        if marker in _METADATA:
            continue
        if marker == _END_OF_IMAGE:
            if not complete:
                raise BadImageError("it ends before the data of all its colors")
            return
        if complete and not frame.progressive:
            raise BadImageError(f"it has a marker inside its image data ({marker:#x})")
        if marker in _SUPPORTED_FRAMES and frame is None:
            frame = _frame(data, segment)
            if max(frame.header.height, frame.header.width) > _MAX_SIDE:
                raise BadImageError(f"a side of it is longer than {_MAX_SIDE} pixels")
        elif marker == _RESTART_INTERVAL and segment.end - segment.start == 2:
            interval = int.from_bytes(data[segment.start : segment.end])
        elif marker == _START_OF_SCAN and frame is not None:
            components = _scan_components(data, segment, frame)
            if not frame.progressive and scanned & components:
                raise BadImageError("it has the data of a color twice")
            _check_restarts(data, segment.end, frame, components, interval)
            scanned |= components
        elif marker not in _TABLES:
            raise BadImageError(f"it has a marker in a wrong place ({marker:#x})")


def exif_orientation(data: bytes) -> int:
    """Returns how the EXIF or XMP metadata says to turn it, 1 (upright) to 8; 1 if unreadable."""
    try:
        for marker, start, end in _segments(data):
            if marker == _START_OF_SCAN:
                break
            if marker == _EXIF:
                found = orientation.of_metadata(data[start:end])
                if found != orientation.UPRIGHT:
                    return found
    except BadImageError:
        pass
    return orientation.UPRIGHT


def without_metadata(data: bytes) -> bytes:
    """Returns the file with only the segments that its pixels depend on."""
    # Pillow and TensorFlow know a JPEG by its first three bytes: nothing may stand between them.
    parts, position = [SIGNATURE], data.find(b"\xff", len(SIGNATURE))
    for marker, start, end in _segments(data):
        if marker in (_START_OF_SCAN, _END_OF_IMAGE):
            break
        if marker in _METADATA and marker not in (_JFIF, _ADOBE):
            parts.append(data[position : start - 4])
            position = end
    return b"".join((*parts, data[position:]))


def _segments(data: bytes) -> Iterator[_Segment]:
    """Yields each segment up to the end marker, leaping over the image data between them."""
    position, where = len(SIGNATURE), " within its header"
    while True:
        # Decoders skip whatever stands between two segments, and so does this.
        position = data.find(b"\xff", position) + 1
        if not 0 < position < len(data):
            raise BadImageError(f"it is cut off{where}")
        marker = data[position]
        if marker in _WITHOUT_SEGMENT or marker == 0xFF:
            continue
        position += 1
        if marker == _END_OF_IMAGE:
            yield _Segment(marker, position, position)
            return
        if marker == _START_OF_IMAGE:
            raise BadImageError("a second image begins inside it")
        length = int.from_bytes(data[position : position + 2])
        if position + length > len(data):
            raise BadImageError(f"it is cut off{where}")
        if length < 2:
            raise BadImageError(f"its segment {marker:#x} has no length")
        yield _Segment(marker, position + 2, position + length)
        position += length
        if marker == _START_OF_SCAN:
            where = ": its end marker is missing"
            found = _END_OF_SCAN.search(data, position)
            position = found.start() if found else len(data)


def _frame(data: bytes, segment: _Segment) -> _Frame:
    try:
        precision, height, width, count = struct.unpack_from(">BHHB", data, segment.start)
        if precision != 8:
            raise BadImageError(f"it is a JPEG of {precision} bits per sample")
        if count not in (1, 3, 4):
            raise BadImageError(f"it has {count} color components")
        fields = struct.iter_unpack("BBB", data[segment.start + 6 : segment.start + 6 + 3 * count])
        sampling = {number: (factors >> 4, factors & 15) for number, factors, _ in fields}
    except struct.error:
        raise BadImageError("it is cut off within its header") from None
    header = ImageHeader("JPEG", height, width, count)
    return _Frame(header, data[segment.start - 3] == _PROGRESSIVE, sampling)


def _scan_components(data: bytes, segment: _Segment, frame: _Frame) -> set[int]:
    """Returns the components that a scan holds."""
    count = data[segment.start] if segment.end > segment.start else 0
    components = set(data[segment.start + 1 : segment.start + 1 + 2 * count : 2])
    if segment.end - segment.start != 4 + 2 * count or not components <= frame.sampling.keys():
        raise BadImageError("the header of its image data is damaged")
    return components


def _check_restarts(
    data: bytes, start: int, frame: _Frame, components: set[int], interval: int
) -> None:
    """Compares the restart markers of a scan with those that its size and interval ask for."""
    found = _END_OF_SCAN.search(data, start)
    restarts = b"".join(_RESTART.findall(data, start, found.start() if found else len(data)))
    if not interval:
        if restarts:
            raise BadImageError("it has a restart marker inside its image data")
        return
    expected = _divided_up(_num_units(frame, components), interval) - 1
    in_order = (_RESTARTS * (len(restarts) // 8 + 1))[: len(restarts)]
    # Some encoders put one more behind the last interval.
    if restarts != in_order or not 0 <= len(restarts) - expected <= 1:
        raise BadImageError("restart markers of its image data are missing or out of order")


def _num_units(frame: _Frame, components: set[int]) -> int:
    """Returns the number of coded units (MCUs) of a scan."""
    _, height, width, _ = frame.header
    tallest = max(max(vertical, 1) for _, vertical in frame.sampling.values())
    widest = max(max(horizontal, 1) for horizontal, _ in frame.sampling.values())
    if len(components) > 1:
        return _divided_up(width, 8 * widest) * _divided_up(height, 8 * tallest)
    (component,) = components  # Alone in a scan, it is coded block by block.
    horizontal, vertical = frame.sampling[component]
    columns = _divided_up(_divided_up(width * horizontal, widest), 8)
    return columns * _divided_up(_divided_up(height * vertical, tallest), 8)


def _divided_up(number: int, divisor: int) -> int:
    return -(-number // divisor)
