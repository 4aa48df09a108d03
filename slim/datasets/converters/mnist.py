"""Downloads and converts MNIST from its four idx files."""

import functools
import gzip
import hashlib
import pathlib
import struct
import zlib
from collections.abc import Iterator

import numpy as np

from datasets.conversion.plan import Fetch, Plan, PlannedShard, digest
from datasets.conversion.settings import Conversion
from datasets.record import DatasetRecord
from datasets.storage import example
from slim_internal.ground.errors import UserError
from slim_internal.ground.images import pixels

_PREFIXES = {"train": "train", "test": "t10k"}
# The idx format: two zero bytes, 8 for unsigned bytes, the number of dimensions.
_IMAGES_MAGIC = 0x00000803
_LABELS_MAGIC = 0x00000801


def plan(record: DatasetRecord, config: Conversion, fetch: Fetch) -> Plan:
    """Plans one file per split, in the order of the archives."""
    del config  # There is nothing to choose.
    paths = {remote.name: fetch(remote) for remote in record.sources}
    shards = []
    for split, prefix in _PREFIXES.items():
        images = paths[f"{prefix}-images-idx3-ubyte.gz"]
        labels = paths[f"{prefix}-labels-idx1-ubyte.gz"]
        shards.append(
            PlannedShard(
                name=record.file_pattern % split,
                split=split,
                inputs=digest(_sha256(images), _sha256(labels)),
                examples=len(_read_idx(labels, _LABELS_MAGIC)),
                records=functools.partial(_records, images, labels),
            )
        )
    return Plan(dataset="mnist", class_names=record.class_names, shards=tuple(shards))


def _sha256(path: str) -> str:
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


def _read_idx(path: str, magic: int) -> np.ndarray:
    """Returns the array that an idx file of unsigned bytes holds."""
    try:
        with gzip.open(path) as file:
            data = file.read()
        dimensions = magic & 0xFF
        found, *shape = struct.unpack_from(f">{1 + dimensions}I", data)
        values = np.frombuffer(data, np.uint8, offset=4 * (1 + dimensions))
        if found != magic:
            raise ValueError(f"it begins with {found:#010x} instead of {magic:#010x}")
        return values.reshape(shape)
    except (OSError, EOFError, ValueError, struct.error, zlib.error) as error:
        raise UserError(f"{path} is not an idx file of MNIST: {error}.") from error


def _records(images_path: str, labels_path: str) -> Iterator[bytes]:
    images = _read_idx(images_path, _IMAGES_MAGIC)
    labels = _read_idx(labels_path, _LABELS_MAGIC)
    if len(images) != len(labels):
        raise UserError(f"{images_path} has {len(images)} images but {len(labels)} labels.")
    for image, label in zip(images, labels, strict=True):
        height, width = image.shape
        yield example.image_example(pixels.encode_png(image), b"png", height, width, int(label))
