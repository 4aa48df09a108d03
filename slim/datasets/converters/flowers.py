"""Converts flowers: one folder of JPEG files per class."""

import hashlib
import os

from datasets.conversion.plan import Fetch, Plan
from datasets.conversion.settings import Conversion
from datasets.converters import labelled_files
from datasets.converters.labelled_files import LabelledFile
from datasets.record import DatasetRecord
from slim_internal.ground.downloads import unpacking
from slim_internal.ground.errors import UserError

_FOLDER = "flower_photos"
_NUM_SHARDS = 5


def plan(record: DatasetRecord, config: Conversion, fetch: Fetch) -> Plan:
    """Plans both splits: the seed picks 350 images for validation, the rest is for training."""
    (archive,) = (fetch(remote) for remote in record.sources)
    # What another archive left unpacked is not to be taken for this one.
    with open(archive, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()[:12]
    unpacked = os.path.join(config.downloads, f"unpacked-{digest}")
    if not os.path.isdir(unpacked):  # It appears only when whole.
        unpacking.extract(archive, unpacked)
    root = os.path.join(unpacked, _FOLDER)
    files = labelled_files.shuffled(_labelled(record, root, archive), config.seed)
    count = record.splits["validation"]
    if len(files) <= count:
        raise UserError(
            f"{archive} holds {len(files)} images; more than {count} are needed, for these become"
            " the validation split. For an archive of another size use --dataset_name=image_folder."
        )
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
            own_images=False,
        )
    ]
    return Plan(
        dataset="flowers",
        class_names=record.class_names,
        shards=tuple(shards),
        needed_bytes=os.path.getsize(archive),  # Packed JPEG files take what they take unpacked.
        max_problems=config.max_bad_images,
    )


def _labelled(record: DatasetRecord, root: str, archive: str) -> list[LabelledFile]:
    walk = labelled_files.walk(root) if os.path.isdir(root) else ()
    paths = [path for path in walk if labelled_files.is_image(path)]
    names = sorted({path.partition("/")[0] for path in paths})
    if tuple(names) != record.class_names:
        raise UserError(
            f"{archive} does not hold the classes {', '.join(record.class_names)} in a "
            f"folder {_FOLDER}."
        )
    digests = labelled_files.digests(root, paths)
    return [
        LabelledFile(path, names.index(path.partition("/")[0]), digests[path]) for path in paths
    ]
