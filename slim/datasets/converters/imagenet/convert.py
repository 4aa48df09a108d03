"""Plans the conversion of ImageNet: deals the images of an inventory out to shards.

`plan` follows the protocol of all converters; the archives, or folders of unpacked images, are the
only thing that is special here, and the size.
"""

import collections
import dataclasses
import functools
import itertools
import logging
import pathlib
import random
from collections.abc import Iterable, Mapping, Sequence

from datasets.conversion import write
from datasets.conversion.plan import ExtraFile, Fetch, Plan, PlannedShard, digest
from datasets.converters.imagenet import archives, inventory, worker
from datasets.converters.imagenet.inventory import OFFICIAL_SIZES, Inventory
from datasets.converters.imagenet.settings import Options
from datasets.converters.imagenet.source import Source
from datasets.record import ConvertibleDataset
from datasets.storage import journal, manifest
from slim_internal.ground import errors
from slim_internal.ground.files import atomic
from slim_internal.ground.progress import reporting

BOUNDING_BOXES = "imagenet_2012_bounding_boxes.csv"

_LOG = logging.getLogger(__name__)

# Everything in a record but its image takes about as much, framing included.
_RECORD_OVERHEAD = 600


@dataclasses.dataclass(frozen=True, kw_only=True)
class Task:
    """What `plan` is to make shards of, and how.

    Attributes:
      options: How to convert.
      folders: Arguments of `inventory.from_folders`, where the images lie unpacked.
      whole: Whether the archives must hold the whole challenge.
      boxes: Whether the archive of bounding boxes is wanted.
    """

    options: Options
    folders: Mapping[str, str] | None = None
    whole: bool = True
    boxes: bool = True


def plan(record: ConvertibleDataset, config: Task, fetch: Fetch) -> Plan:
    """Plans the shards of both splits, from the archives or from folders.

    The bytes of the shards depend on the images, their labels and boxes, the seed and the numbers
    of shards; not on where the images lie, the number of workers or interruptions.

    Raises:
      UserError: if an archive or a folder cannot be used.
    """
    if config.folders is not None:
        return plan_inventory(inventory.from_folders(**config.folders), config.options)
    roles = zip(archives.SOURCES, record.sources, strict=True)
    wanted = {role: source for role, source in roles if config.boxes or role != "boxes"}
    paths = {role: fetch(source) for role, source in wanted.items()}
    found = inventory.from_archives(archives.Archives(**paths), whole=config.whole)
    return plan_inventory(found, config.options)


def plan_inventory(found: Inventory, options: Options) -> Plan:
    """Plans the shards of the images that an inventory lists, in a seeded order."""
    counts = {"train": options.train_shards, "validation": options.validation_shards}
    shards = []
    for split, sources in found.splits.items():
        order = list(sources)
        random.Random(options.seed).shuffle(order)
        count = counts[split]
        bounds = [len(order) * index // count for index in range(count + 1)]
        for index, (start, end) in enumerate(itertools.pairwise(bounds)):
            name = f"{split}-{index:05d}-of-{count:05d}"
            shards.append(_shard(name, split, order[start:end], options))
    sources = itertools.chain(*found.splits.values())
    return Plan(
        dataset=archives.DATASET.name,
        class_names=found.class_names,
        shards=tuple(shards),
        options=_manifest_options(options),
        extra_files=_extra_files(found),
        needed_bytes=sum(source.size + _RECORD_OVERHEAD for source in sources),
        max_problems=options.max_bad_images,
        examples_per_worker=1,
    )


def _shard(name: str, split: str, sources: Sequence[Source], options: Options) -> PlannedShard:
    images_of_it = [
        (source.filename, source.offset, source.size, source.sample, source.shows, source.boxes)
        for source in sources
    ]
    return PlannedShard(
        name=name,
        split=split,
        inputs=digest(images_of_it, options.on_bad_image, options.verify_images),
        examples=len(sources),
        records=functools.partial(
            worker.records, sources, options.on_bad_image, options.verify_images == "decode"
        ),
    )


def _extra_files(found: Inventory) -> tuple[ExtraFile, ...]:
    if found.bounding_boxes is None:
        return ()
    conflict = (
        "holds other boxes than the archive. Move it away, or keep the boxes out of the records "
        "with --nobounding_boxes."
    )
    return (ExtraFile(BOUNDING_BOXES, found.bounding_boxes, conflict),)


def _manifest_options(options: Options) -> dict[str, object]:
    return {name: getattr(options, name) for name in archives.DATASET.options}


def finished(options: Options, *, whole: bool = True) -> write.Outcome | None:
    """Returns the dataset in the folder if it is complete, intact and made with these options.

    That needs none of the archives, which many people delete once they are converted. With them,
    `plan` makes sure that it was made from these very images, too.

    Args:
      options: What is wanted.
      whole: Whether it must be the whole challenge.

    Raises:
      UserError: if it is complete but only a part of the challenge where the whole is wanted.
    """
    found = manifest.read(options.output_directory)
    if not found:
        return None
    sizes = collections.Counter()
    for shard in found.shards:
        sizes[shard.split] += write.num_inputs(shard)
    if whole and sizes != OFFICIAL_SIZES:
        shown = ", ".join(f"{size} of {split}" for split, size in sizes.items())
        raise errors.UserError(
            f"{options.output_directory} holds a part of ImageNet, {shown}. If that is meant, say "
            "--archive_checksums=off; else choose another folder."
        )
    faults = list(manifest.verify(options.output_directory, reporting.ProgressLog()))
    for fault in faults:
        _LOG.warning("%s The archives are needed to rebuild it.", fault)
    return None if faults else write.Outcome(found, ())


def check_folder(options: Options, *, may_hold: Iterable[str] = ()) -> None:
    """Refuses to write among data that no conversion of ImageNet left there.

    Args:
      options: What is wanted; the folder to write into need not exist.
      may_hold: Paths of inputs, which may lie in it.

    Raises:
      UserError: if the folder holds anything else than archives, inputs and earlier output, or a
        complete set made with other options.
    """
    folder = pathlib.Path(options.output_directory)
    found = journal.occupant(folder)
    if found and found != archives.DATASET.name:
        raise errors.UserError(f"{folder} holds another dataset, {found}. Choose another folder.")
    if complete := manifest.read(folder):
        manifest.require_options(folder, complete, _manifest_options(options))
    if found:
        return
    names = (remote.name for remote in archives.SOURCES.values())
    ours = {archives.RAW_DATA, BOUNDING_BOXES, *names}
    inputs = {path.resolve() for path in map(pathlib.Path, may_hold)}
    inputs |= {parent for path in inputs for parent in path.parents}
    others = sorted(
        path.name
        for path in (folder.iterdir() if folder.is_dir() else ())
        if path.name.removesuffix(".receipt.json") not in ours
        and not path.name.endswith(atomic.SUFFIX)
        and path.resolve() not in inputs
    )
    if others:
        shown = ", ".join(others[:5]) + ", ..." * (len(others) > 5)
        raise errors.UserError(f"{folder} holds other data ({shown}). Choose an empty folder.")
