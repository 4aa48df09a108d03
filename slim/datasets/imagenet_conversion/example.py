"""Serializes the record of a picture, a `tf.train.Example`, without TensorFlow.

An example is a map from feature names to lists of bytes, floats or integers. Its wire format
(protocol buffers) is little more than a length before every part, which is written here directly:
importing TensorFlow would cost each worker some seconds and 400 MB.
"""

import functools
import os
import struct

from datasets.imagenet_classes import ImagenetClass
from datasets.imagenet_conversion.pictures import Picture
from datasets.imagenet_conversion.source import Box, Source

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


def _int64_feature(name: str, *values: int) -> bytes:
    return _feature(name, _INT64_LIST, _packed(b"".join(map(_varint, values))))


def _float_feature(name: str, *values: float) -> bytes:
    return _feature(name, _FLOAT_LIST, _packed(struct.pack(f"<{len(values)}f", *values)))


def _packed(values: bytes) -> bytes:
    return _delimited(_LENGTH_DELIMITED_1, values) if values else b""


_CONSTANT_FEATURES = (
    _int64_feature("image/channels", 3)
    + _bytes_feature("image/colorspace", b"RGB")
    + _bytes_feature("image/format", b"JPEG")
)


# Most pictures share these with many others.


@functools.lru_cache(maxsize=4096)
def _class_features(shows: ImagenetClass) -> bytes:
    return (
        _int64_feature("image/class/label", shows.label)
        + _bytes_feature("image/class/synset", shows.wordnet_id.encode())
        + _bytes_feature("image/class/text", shows.names.encode())
    )


@functools.lru_cache(maxsize=4096)
def _size_features(height: int, width: int) -> bytes:
    return _int64_feature("image/height", height) + _int64_feature("image/width", width)


@functools.lru_cache(maxsize=4096)
def _box_features(boxes: tuple[Box, ...], label: int) -> bytes:
    xmin, ymin, xmax, ymax = zip(*boxes, strict=True) if boxes else ((),) * 4
    return (
        _float_feature("image/object/bbox/xmin", *xmin)
        + _float_feature("image/object/bbox/xmax", *xmax)
        + _float_feature("image/object/bbox/ymin", *ymin)
        + _float_feature("image/object/bbox/ymax", *ymax)
        + _int64_feature("image/object/bbox/label", *[label] * len(boxes))
    )


def serialize(source: Source, picture: Picture) -> bytes:
    """Returns the record of a picture with the features that the original converter wrote.

    Args:
      source: Where the picture comes from and what it shows.
      picture: The picture.
    """
    return _delimited(
        _LENGTH_DELIMITED_1,
        _CONSTANT_FEATURES,
        _class_features(source.shows),
        _size_features(picture.height, picture.width),
        _box_features(source.boxes, source.shows.label),
        _bytes_feature("image/filename", os.fsencode(source.filename)),
        *_encoded_feature(picture.encoded),
    )


def _encoded_feature(encoded: bytes) -> tuple[bytes, bytes]:
    """Returns the feature of the picture's bytes in two parts, which spares copying them."""
    head = b""
    for tag in (_LENGTH_DELIMITED_1, _BYTES_LIST, _MAP_VALUE):  # From the inside out.
        head = tag + _varint(len(head) + len(encoded)) + head
    head = _delimited(_LENGTH_DELIMITED_1, b"image/encoded") + head
    return _LENGTH_DELIMITED_1 + _varint(len(head) + len(encoded)) + head, encoded
