"""Serializes the record of a picture, a `tf.train.Example`, without TensorFlow.

An example is a map from feature names to lists of bytes, floats or integers. Its wire format
(protocol buffers) is little more than a length before every part, which is written here directly:
importing TensorFlow would cost each worker some seconds and 400 MB.
"""

import os
import struct
from collections.abc import Sequence

from datasets.imagenet_conversion.pictures import Picture
from datasets.imagenet_conversion.source import Source

# Tags of protocol buffers: field number << 3 | wire type (0 integer, 2 with length before it).
_LENGTH_DELIMITED_1 = b"\x0a"  # Field 1: of Example, Features, a map entry (key) and every list.
_MAP_VALUE = b"\x12"
_BYTES_LIST, _FLOAT_LIST, _INT64_LIST = b"\x0a", b"\x12", b"\x1a"


def _varint(value: int) -> bytes:
    groups = bytearray()
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    groups.append(value)
    return bytes(groups)


def _delimited(tag: bytes, *parts: bytes) -> bytes:
    return b"".join((tag, _varint(sum(map(len, parts))), *parts))


def _feature(name: str, kind: bytes, values: bytes) -> bytes:
    """Returns one entry of the map of features; `values` are the fields of its list."""
    key = _delimited(_LENGTH_DELIMITED_1, name.encode())
    value = _delimited(_MAP_VALUE, _delimited(kind, values))
    return _delimited(_LENGTH_DELIMITED_1, key, value)


def _bytes_feature(name: str, value: bytes) -> bytes:
    return _feature(name, _BYTES_LIST, _delimited(_LENGTH_DELIMITED_1, value))


def _int64_feature(name: str, values: Sequence[int]) -> bytes:
    return _feature(name, _INT64_LIST, _packed(b"".join(map(_varint, values))))


def _float_feature(name: str, values: Sequence[float]) -> bytes:
    return _feature(name, _FLOAT_LIST, _packed(struct.pack(f"<{len(values)}f", *values)))


def _packed(values: bytes) -> bytes:
    return _delimited(_LENGTH_DELIMITED_1, values) if values else b""


_CONSTANT_FEATURES = (
    _int64_feature("image/channels", [3])
    + _bytes_feature("image/colorspace", b"RGB")
    + _bytes_feature("image/format", b"JPEG")
)


def serialize(source: Source, picture: Picture) -> bytes:
    """Returns the record of a picture with the features that the original converter wrote.

    Args:
      source: Where the picture comes from and what it shows.
      picture: The picture.
    """
    xmin, ymin, xmax, ymax = zip(*source.boxes, strict=True) if source.boxes else ((),) * 4
    return _delimited(
        _LENGTH_DELIMITED_1,
        _CONSTANT_FEATURES,
        _bytes_feature("image/filename", os.fsencode(source.filename)),
        _int64_feature("image/height", [picture.height]),
        _int64_feature("image/width", [picture.width]),
        _int64_feature("image/class/label", [source.shows.label]),
        _bytes_feature("image/class/synset", source.shows.wordnet_id.encode()),
        _bytes_feature("image/class/text", source.shows.names.encode()),
        _float_feature("image/object/bbox/xmin", xmin),
        _float_feature("image/object/bbox/xmax", xmax),
        _float_feature("image/object/bbox/ymin", ymin),
        _float_feature("image/object/bbox/ymax", ymax),
        _int64_feature("image/object/bbox/label", [source.shows.label] * len(source.boxes)),
        _bytes_feature("image/encoded", picture.encoded),
    )
