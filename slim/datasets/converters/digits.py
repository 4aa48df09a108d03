"""Converts the handwritten digits of scikit-learn; nothing is downloaded."""

import functools
import hashlib
from collections.abc import Iterator

import numpy as np
import sklearn.datasets

from datasets.conversion.plan import Fetch, Plan, PlannedShard, digest
from datasets.conversion.settings import Conversion
from datasets.record import DatasetRecord
from datasets.storage import example
from slim_internal.ground.images import pixels

_MAX_VALUE = 16  # The images count ink in blocks of 4 x 4 bits.


def plan(record: DatasetRecord, config: Conversion, fetch: Fetch) -> Plan:
    """Plans one file per split; every class is in each split in the same proportion."""
    del fetch  # The images are installed with scikit-learn.
    data = sklearn.datasets.load_digits()
    contents = hashlib.sha256(data.images.tobytes() + data.target.tobytes()).hexdigest()
    validation = _stratified(data.target, record.splits["validation"], config.seed)
    order = np.random.RandomState(config.seed).permutation(len(data.target))
    rows = {
        "train": [int(row) for row in order if row not in validation],
        "validation": [int(row) for row in order if row in validation],
    }
    return Plan(
        dataset="digits",
        class_names=record.class_names,
        shards=tuple(
            PlannedShard(
                name=record.file_pattern % split,
                split=split,
                inputs=digest(contents, rows[split]),
                examples=len(rows[split]),
                records=functools.partial(_records, rows[split]),
            )
            for split in record.splits
        ),
    )


def _stratified(labels: np.ndarray, size: int, seed: int) -> set[int]:
    """Picks `size` rows so that each class has its share of them, rounded."""
    random = np.random.RandomState(seed)
    # Sorted by rank within its class, in [0, 1): any prefix holds the classes in proportion.
    rank = np.empty(len(labels))
    for label in np.unique(labels):
        members = random.permutation(np.flatnonzero(labels == label))
        rank[members] = (np.arange(len(members)) + 0.5) / len(members)
    return set(np.argsort(rank, kind="stable")[:size].tolist())


def _records(rows: list[int]) -> Iterator[bytes]:
    data = sklearn.datasets.load_digits()
    images = np.round(data.images * (255 / _MAX_VALUE)).astype(np.uint8)
    for row in rows:
        height, width = images[row].shape
        yield example.image_example(
            pixels.encode_png(images[row]), b"png", height, width, int(data.target[row])
        )
