"""What a picture's first bytes say about it, and whether its last ones are there.

Nothing is decoded: the marker segments of a JPEG are walked up to its picture data, which takes
some microseconds for a picture that takes milliseconds to decode; so are the chunks of a PNG.
"""

import struct
import zlib
from typing import NamedTuple

# What Pillow takes for the largest honest picture. A header may claim 65,500 x 65,500 pixels in
# front of no data at all; the claim is checked before any of it is believed.
MAX_PIXELS = 89_478_485

_JPEG_SIGNATURE = b"\xff\xd8"
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# The other kinds of picture that people store under any name, by their first bytes.
_OTHER_SIGNATURES = {b"GIF8": "GIF", b"BM": "BMP", b"RIFF": "WebP", b"II*\0": "TIFF"}

# JPEG markers, ITU-T T.81 table B.1.
_START_OF_SCAN = 0xDA
_END_OF_IMAGE = 0xD9
_SUPPORTED_FRAMES = (0xC0, 0xC1, 0xC2)  # Huffman coded: baseline, extended, progressive.
_OTHER_FRAMES = (0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF)
_WITHOUT_SEGMENT = (0x00, 0x01, *range(0xD0, 0xD9))  # Stuffing, TEM, RST0 to RST7, SOI.


class BadPictureError(ValueError):
    """A picture that cannot be used; the message says what is wrong with it."""


class ImageHeader(NamedTuple):
    """What a picture's header claims.

    Attributes:
      format: "JPEG" or "PNG".
      height: In pixels.
      width: In pixels.
      components: Number of colour components: 1 greyscale, 3 YCbCr or RGB, 4 CMYK or YCCK of a
        JPEG; 0 for a PNG, whose colours may come from a palette.
    """

    format: str
    height: int
    width: int
    components: int


def is_jpeg_or_png(data: bytes) -> bool:
    """Returns whether the bytes claim to be a picture that `inspect` knows."""
    return data.startswith((_JPEG_SIGNATURE, _PNG_SIGNATURE))


def inspect(data: bytes) -> ImageHeader:
    """Returns what the header of a JPEG or PNG picture says.

    A JPEG is also checked for the marker that ends it, which a picture cut off anywhere lacks, a
    PNG for the checksums of all its parts; what follows the end is of no concern.

    Args:
      data: The bytes of the picture's file.

    Raises:
      BadPictureError: if it is empty, of another kind, cut off, too large or not decodable.
    """
    if data.startswith(_JPEG_SIGNATURE):
        header = _inspect_jpeg(data)
    elif data.startswith(_PNG_SIGNATURE):
        header = _inspect_png(data)
    elif not data:
        raise BadPictureError("it is empty")
    else:
        kinds = [kind for start, kind in _OTHER_SIGNATURES.items() if data.startswith(start)]
        raise BadPictureError(f"it is {kinds[0] if kinds else 'no JPEG or PNG picture'}")
    if not header.height or not header.width:
        raise BadPictureError("its header gives no size")
    if header.height * header.width > MAX_PIXELS:
        raise BadPictureError(
            f"its header claims {header.width} x {header.height} pixels, more than {MAX_PIXELS}"
        )
    return header


def _inspect_jpeg(data: bytes) -> ImageHeader:
    header = None
    position = 2
    try:
        while True:
            # Decoders skip whatever stands between two segments, and so does this.
            position = data.index(b"\xff", position) + 1
            marker = data[position]
            if marker in _WITHOUT_SEGMENT or marker == 0xFF:
                continue
            if marker == _START_OF_SCAN:
                break
            if marker == _END_OF_IMAGE:
                raise BadPictureError("it ends before its picture data")
            if marker in _SUPPORTED_FRAMES:
                header = _frame_header(data, position)
            elif marker in _OTHER_FRAMES:
                raise BadPictureError(f"it is a JPEG of a rare kind (frame marker {marker:#x})")
            position += 1 + int.from_bytes(data[position + 1 : position + 3], "big")
    except (ValueError, IndexError, struct.error) as error:
        if isinstance(error, BadPictureError):
            raise
        raise BadPictureError("it is cut off within its header") from None
    if header is None:
        raise BadPictureError("its picture data comes before its size")
    # Within picture data 0xFF is always followed by a zero or a restart marker. Seen from the end
    # the marker is found at once.
    if data.rfind(b"\xff\xd9", position) < 0:
        raise BadPictureError("it is cut off: its end marker is missing")
    return header


def _frame_header(data: bytes, position: int) -> ImageHeader:
    precision, height, width, components = struct.unpack_from(">BHHB", data, position + 3)
    if precision != 8:
        raise BadPictureError(f"it is a JPEG of {precision} bits per sample")
    if components not in (1, 3, 4):
        raise BadPictureError(f"it has {components} colour components")
    return ImageHeader("JPEG", height, width, components)


def _inspect_png(data: bytes) -> ImageHeader:
    if len(data) < 24 or data[12:16] != b"IHDR":
        raise BadPictureError("it is cut off within its header")
    width, height = struct.unpack_from(">II", data, 16)
    _check_chunks(data)
    return ImageHeader("PNG", height, width, 0)


def _check_chunks(data: bytes) -> None:
    """Walks the chunks of a PNG up to the last: length, type, content, checksum of the last two."""
    position = len(_PNG_SIGNATURE)
    kind = b""
    while kind != b"IEND":
        length = int.from_bytes(data[position : position + 4], "big")
        kind, end = data[position + 4 : position + 8], position + 8 + length
        if end + 4 > len(data):
            raise BadPictureError("it is cut off: its end is missing")
        if zlib.crc32(data[position + 4 : end]) != int.from_bytes(data[end : end + 4], "big"):
            raise BadPictureError(f"its part {kind!r} is damaged")
        position = end + 4
