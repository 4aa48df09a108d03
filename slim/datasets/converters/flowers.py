"""Converts flowers: one folder of JPEG files per class."""

import os

from datasets import builder
from datasets.conversion_options import Conversion
from datasets.converters import labelled_files
from datasets.converters.labelled_files import LabelledFile
from datasets.record import DatasetRecord
from downloads import archives
from errors import UserError

_FOLDER = "flower_photos"
_NUM_SHARDS = 5


def plan(record: DatasetRecord, config: Conversion, fetch: builder.Fetch) -> builder.Plan:
    """Plans both splits: the seed picks 350 pictures for validation, the rest is for training."""
    (archive,) = (fetch(remote) for remote in record.sources)
    unpacked = os.path.join(config.downloads, "unpacked")
    if not os.path.isdir(unpacked):  # It appears only when whole.
        archives.extract(archive, unpacked)
    root = os.path.join(unpacked, _FOLDER)
    files = labelled_files.shuffled(_labelled(record, root, archive), config.seed)
    count = record.splits["validation"]
    splits = {"train": files[count:], "validation": files[:count]}
    shards = [
        shard
        for split, members in splits.items()
        for shard in labelled_files.plan_shards(
            root,
            members,
            config,
            split=split,
            pattern=record.file_pattern,
            num_shards=config.num_shards or _NUM_SHARDS,
            own_pictures=False,
        )
    ]
    return builder.Plan(
        dataset="flowers",
        class_names=record.class_names,
        shards=tuple(shards),
        needed_bytes=sum(file.size for file in files),
        max_problems=config.max_bad_images,
    )


def _labelled(record: DatasetRecord, root: str, archive: str) -> list[LabelledFile]:
    paths = list(labelled_files.walk(root)) if os.path.isdir(root) else []
    names = sorted({path.partition("/")[0] for path, _ in paths})
    if tuple(names) != record.class_names:
        raise UserError(
            f"{archive} does not hold the classes {', '.join(record.class_names)} in a "
            f"folder {_FOLDER}."
        )
    return [LabelledFile(path, names.index(path.partition("/")[0]), size) for path, size in paths]
