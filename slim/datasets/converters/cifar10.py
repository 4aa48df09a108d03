"""Converts CIFAR-10 from its binary archive, which is read without unpacking it."""

import functools
import hashlib
import pathlib
import tarfile
import zlib
from collections.abc import Iterator

import numpy as np

from datasets.conversion.plan import Fetch, Plan, PlannedShard, digest
from datasets.conversion.settings import Conversion
from datasets.record import DatasetRecord
from datasets.storage import example
from slim_internal.ground.errors import UserError
from slim_internal.ground.images import pixels

_SIZE = 32
_ROW = 1 + 3 * _SIZE * _SIZE  # Label, then the red, the green and the blue plane.
_MEMBERS = {
    "train": tuple(f"cifar-10-batches-bin/data_batch_{number}.bin" for number in range(1, 6)),
    "test": ("cifar-10-batches-bin/test_batch.bin",),
}


def plan(record: DatasetRecord, config: Conversion, fetch: Fetch) -> Plan:
    """Plans one file per split, in the order of the archive."""
    del config  # There is nothing to choose.
    (archive,) = (fetch(remote) for remote in record.sources)
    return Plan(
        dataset="cifar10",
        class_names=record.class_names,
        shards=tuple(_planned(record, archive, split) for split in _MEMBERS),
        needed_bytes=pathlib.Path(archive).stat().st_size,
    )


def _planned(record: DatasetRecord, archive: str, split: str) -> PlannedShard:
    contents, examples = hashlib.sha256(), 0
    for batch in _batches(archive, _MEMBERS[split]):
        contents.update(batch)
        examples += len(batch)
    return PlannedShard(
        name=record.file_pattern % split,
        split=split,
        inputs=digest(contents.hexdigest()),
        examples=examples,
        records=functools.partial(_records, archive, _MEMBERS[split]),
    )


def _batches(archive: str, members: tuple[str, ...]) -> Iterator[np.ndarray]:
    """Yields each batch file as `[n, 3073]` bytes, in the order of `members`."""
    try:
        with tarfile.open(archive) as tar:
            for name in members:
                data = tar.extractfile(name).read()
                yield np.frombuffer(data, np.uint8).reshape(-1, _ROW)
    except (KeyError, AttributeError):
        raise UserError(f"{archive} has no file {name}: it is not CIFAR-10's binary.") from None
    except (tarfile.TarError, EOFError, zlib.error, ValueError, OSError) as error:
        raise UserError(f"{archive} is damaged: {error}.") from error


def _records(archive: str, members: tuple[str, ...]) -> Iterator[bytes]:
    for batch in _batches(archive, members):
        images = batch[:, 1:].reshape(-1, 3, _SIZE, _SIZE).transpose(0, 2, 3, 1)
        for label, image in zip(batch[:, 0], images, strict=True):
            yield example.image_example(
                pixels.encode_png(np.ascontiguousarray(image)), b"png", _SIZE, _SIZE, int(label)
            )
