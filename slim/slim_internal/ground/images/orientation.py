"""How an image is to be turned before it is shown, as far as its metadata can be read."""

import re
import struct

UPRIGHT = 1

_TAG = 0x0112
_BYTE_ORDERS = {b"II": "<", b"MM": ">"}
# Types of TIFF values -> how to read one.
_TYPES = {1: "B", 3: "H", 4: "I"}
_XMP = re.compile(rb"tiff:Orientation(?:\s*=\s*[\"']|>)\s*([1-8])")


def of_metadata(data: bytes) -> int:
    """Returns the orientation that a block of EXIF or XMP metadata gives, 1 (upright) to 8.

    Whatever is wrong with the block, the image is not to suffer from it: what cannot be read
    counts as upright.
    """
    data = data.removeprefix(b"Exif\0\0")
    order = _BYTE_ORDERS.get(data[:2])
    try:
        found = _of_tiff(data, order) if order else None
    except struct.error:
        found = None
    if found is None:
        match = _XMP.search(data)
        found = int(match[1]) if match else UPRIGHT
    return found if 1 <= found <= 8 else UPRIGHT


def _of_tiff(data: bytes, order: str) -> int | None:
    """Returns the value of the tag in the first directory, or None if it is not there."""
    (start,) = struct.unpack_from(f"{order}I", data, 4)
    (count,) = struct.unpack_from(f"{order}H", data, start)
    for entry in range(start + 2, start + 2 + 12 * count, 12):
        tag, kind = struct.unpack_from(f"{order}HH", data, entry)
        if tag == _TAG:
            if kind not in _TYPES:
                return None
            return struct.unpack_from(order + _TYPES[kind], data, entry + 8)[0]
    return None
