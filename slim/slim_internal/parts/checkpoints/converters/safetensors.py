"""Reads and writes .safetensors: the length of a header, the header as JSON, and raw numbers.

The format is small enough that a library for it would be more to look after than this file.
"""

import json
import math
import os
import struct
from collections.abc import Mapping

import numpy as np

from slim_internal.ground.errors import UserError
from slim_internal.ground.files import atomic, json_objects

_LENGTH = struct.Struct("<Q")
_LONGEST_HEADER = 100_000_000  # The limit of the format.
_TYPES = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype("<u2"),  # The upper half of a float32.
    "I64": np.dtype("<i8"),
    "I32": np.dtype("<i4"),
    "U8": np.dtype("u1"),
}


def read(path: str) -> dict[str, np.ndarray]:
    """Returns the tensors of a file by name, not copied into memory before they are used.

    Raises:
      UserError: If it is not a complete file of this format.
    """
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        start = file.read(_LENGTH.size)
        length = _LENGTH.unpack(start)[0] if len(start) == _LENGTH.size else size
        if length > min(size - _LENGTH.size, _LONGEST_HEADER):
            raise UserError(f"{path} is not a complete .safetensors file.")
        header = file.read(length)
    data = np.memmap(path, np.uint8, "r", offset=0)[_LENGTH.size + length :]
    try:
        entries = json_objects.decode(header)
        entries.pop("__metadata__", None)
        return {name: _tensor(name, entry, data) for name, entry in entries.items()}
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise UserError(f"{path} is not a complete .safetensors file: {error}.") from error


def write(path: str, tensors: Mapping[str, np.ndarray]) -> None:
    """Writes float32 tensors, whole or not at all."""
    entries: dict[str, dict] = {"__metadata__": {"format": "pt"}}
    begin = 0
    for name in sorted(tensors):
        array = tensors[name]
        entries[name] = {
            "dtype": "F32",
            "shape": list(array.shape),
            "data_offsets": [begin, begin + 4 * array.size],
        }
        begin += 4 * array.size
    header = json.dumps(entries, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)  # The numbers begin at a multiple of 8.
    with atomic.AtomicFile(path) as file:
        file.write(_LENGTH.pack(len(header)))
        file.write(header)
        for name in sorted(tensors):
            file.write(np.ascontiguousarray(tensors[name], "<f4").tobytes())


def _tensor(name: str, entry: Mapping, data: np.ndarray) -> np.ndarray:
    if entry["dtype"] not in _TYPES:
        raise ValueError(f"{name} has the unknown type {entry['dtype']!r}")
    kind, shape = _TYPES[entry["dtype"]], tuple(entry["shape"])
    begin, end = entry["data_offsets"]
    if not 0 <= begin <= end <= len(data) or end - begin != math.prod(shape) * kind.itemsize:
        raise ValueError(f"{name} lies outside the file")
    tensor = data[begin:end].view(kind).reshape(shape)
    if entry["dtype"] == "BF16":
        return (tensor.astype(np.uint32) << 16).view(np.float32)
    return tensor
