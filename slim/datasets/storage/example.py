"""Serializes a `tf.train.Example` without TensorFlow.

An example is a map from feature names to lists of bytes, floats or integers. Its wire format
(protocol buffers) is little more than a length before every part, which is written here directly:
importing TensorFlow would cost each worker process some seconds and 400 MB. Unlike a protocol
buffer's own map, features stay in the order in which they are given.
"""

import struct

# Tags of protocol buffers: field number << 3 | wire type (0 integer, 2 with length before it).
_LENGTH_DELIMITED_1 = b"\x0a"  # Field 1: of Example, Features, a map entry (key) and every list.
_MAP_VALUE = b"\x12"
_BYTES_LIST, _FLOAT_LIST, _INT64_LIST = b"\x0a", b"\x12", b"\x1a"


def example(*features: bytes) -> bytes:
    """Returns the bytes of an example with these serialized features."""
    return _delimited(_LENGTH_DELIMITED_1, *features)


def image_example(
    image_data: bytes, image_format: bytes, height: int, width: int, class_id: int, *more: bytes
) -> bytes:
    """Returns the bytes of what `dataset_utils.image_to_tfexample` returns, and more features."""
    return example(
        int64_feature("image/class/label", class_id),
        *large_bytes_feature("image/encoded", image_data),
        bytes_feature("image/format", image_format),
        int64_feature("image/height", height),
        int64_feature("image/width", width),
        *more,
    )


def bytes_feature(name: str, value: bytes) -> bytes:
    """Returns a serialized feature of one byte string."""
    return b"".join(large_bytes_feature(name, value))


def large_bytes_feature(name: str, value: bytes) -> tuple[bytes, bytes]:
    """Returns a serialized feature of one byte string in two parts, which spares copying it."""
    head = b""
    for tag in (_LENGTH_DELIMITED_1, _BYTES_LIST, _MAP_VALUE):  # From the inside out.
        head = tag + _varint(len(head) + len(value)) + head
    head = _delimited(_LENGTH_DELIMITED_1, name.encode()) + head
    return _LENGTH_DELIMITED_1 + _varint(len(head) + len(value)) + head, value


def int64_feature(name: str, *values: int) -> bytes:
    """Returns a serialized feature of integers, none of them negative."""
    return _feature(name, _INT64_LIST, _packed(b"".join(map(_varint, values))))


def float_feature(name: str, *values: float) -> bytes:
    """Returns a serialized feature of 32-bit floats."""
    return _feature(name, _FLOAT_LIST, _packed(struct.pack(f"<{len(values)}f", *values)))


def _feature(name: str, kind: bytes, values: bytes) -> bytes:
    """Returns one entry of the map of features; `values` are the fields of its list."""
    key = _delimited(_LENGTH_DELIMITED_1, name.encode())
    value = _delimited(_MAP_VALUE, _delimited(kind, values))
    return _delimited(_LENGTH_DELIMITED_1, key, value)


def _packed(values: bytes) -> bytes:
    return _delimited(_LENGTH_DELIMITED_1, values) if values else b""


def _delimited(tag: bytes, *parts: bytes) -> bytes:
    return b"".join((tag, _varint(sum(map(len, parts))), *parts))


def _varint(value: int) -> bytes:
    groups = bytearray()
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    groups.append(value)
    return bytes(groups)
