"""Deals the pictures of an inventory out to shards and has them written."""

import collections
import functools
import itertools
import logging
import pathlib
import random
from collections.abc import Iterable, Sequence

from datasets.conversion import builder
from datasets.converters.imagenet import worker
from datasets.converters.imagenet.archives import RAW_DATA, SOURCES
from datasets.converters.imagenet.inventory import OFFICIAL_SIZES, Inventory
from datasets.converters.imagenet.settings import Options
from datasets.converters.imagenet.source import Source
from datasets.storage import journal, manifest
from slim_internal.ground import errors
from slim_internal.ground.files import atomic
from slim_internal.ground.progress import reporting

DATASET = "imagenet"
BOUNDING_BOXES = "imagenet_2012_bounding_boxes.csv"

_LOG = logging.getLogger(__name__)

# The options that shape the bytes.
_IN_MANIFEST = ("train_shards", "validation_shards", "seed", "on_bad_image", "verify_images")

# Everything in a record but its picture takes about as much, framing included.
_RECORD_OVERHEAD = 600


def convert(
    inventory: Inventory,
    options: Options,
    progress: reporting.Progress = reporting.silent,
) -> builder.Outcome:
    """Writes all pictures of an inventory, or what an earlier run left to be written.

    The bytes of the shards depend on the pictures, their labels and boxes, the seed and the
    numbers of shards; not on where the pictures lie, the number of workers or interruptions.

    Args:
      inventory: The pictures.
      options: What to make of them.
      progress: Called as images are converted.

    Raises:
      UserError: if the folder or a picture cannot be used, or a worker failed.
    """
    boxes = pathlib.Path(options.output_directory, BOUNDING_BOXES)
    if inventory.bounding_boxes is not None:
        _require_same(boxes, inventory.bounding_boxes)
    outcome = builder.build(
        options.output_directory,
        _plan(inventory, options),
        num_workers=options.num_workers,
        progress=progress,
    )
    _check_totals(inventory, outcome.manifest)
    if inventory.bounding_boxes is not None:
        atomic.write(boxes, inventory.bounding_boxes)
    return outcome


def _require_same(path: pathlib.Path, text: str) -> None:
    """Refuses to replace a file of the user's by one that says something else."""
    if path.exists() and path.read_bytes() != text.encode():
        raise errors.UserError(
            f"{path} holds other boxes than the archive. Move it away, or keep the boxes out of "
            "the records with --nobounding_boxes."
        )


def finished(options: Options, *, whole: bool = True) -> builder.Outcome | None:
    """Returns the set in the folder if it is complete, intact and made with these options.

    That needs none of the archives, which many people delete once they are converted. With them,
    `convert` makes sure that the set was made from these very pictures, too.

    Args:
      options: What is wanted.
      whole: Whether it must be the whole challenge.

    Raises:
      UserError: if it is complete but only a part of the challenge where the whole is wanted.
    """
    found = manifest.read(options.output_directory)
    if not found:
        return None
    sizes = _num_inputs(found)
    if whole and sizes != OFFICIAL_SIZES:
        shown = ", ".join(f"{size} of {split}" for split, size in sizes.items())
        raise errors.UserError(
            f"{options.output_directory} holds a part of ImageNet, {shown}. If that is meant, say "
            "--archive_checksums=off; else choose another folder."
        )
    faults = list(manifest.verify(options.output_directory, reporting.ProgressLog()))
    for fault in faults:
        _LOG.warning("%s The archives are needed to rebuild it.", fault)
    return None if faults else builder.Outcome(found, ())


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
    if found and found != DATASET:
        raise errors.UserError(f"{folder} holds another data set, {found}. Choose another folder.")
    if complete := manifest.read(folder):
        manifest.require_options(folder, complete, _manifest_options(options))
    if found:
        return
    ours = {RAW_DATA, BOUNDING_BOXES, *(remote.name for remote in SOURCES.values())}
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


def _manifest_options(options: Options) -> dict[str, object]:
    return {name: getattr(options, name) for name in _IN_MANIFEST}


def _plan(inventory: Inventory, options: Options) -> builder.Plan:
    counts = {"train": options.train_shards, "validation": options.validation_shards}
    shards = []
    for split, sources in inventory.splits.items():
        order = list(sources)
        random.Random(options.seed).shuffle(order)
        count = counts[split]
        bounds = [len(order) * index // count for index in range(count + 1)]
        for index, (start, end) in enumerate(itertools.pairwise(bounds)):
            name = f"{split}-{index:05d}-of-{count:05d}"
            shards.append(_shard(name, split, order[start:end], options))
    sources = itertools.chain(*inventory.splits.values())
    return builder.Plan(
        dataset=DATASET,
        class_names=inventory.class_names,
        shards=tuple(shards),
        options=_manifest_options(options),
        needed_bytes=sum(source.size + _RECORD_OVERHEAD for source in sources),
        max_problems=options.max_bad_images,
        examples_per_worker=1,
    )


def _shard(
    name: str, split: str, sources: Sequence[Source], options: Options
) -> builder.PlannedShard:
    pictures_of_it = [
        (source.filename, source.offset, source.size, source.shows, source.boxes)
        for source in sources
    ]
    return builder.PlannedShard(
        name=name,
        split=split,
        inputs=builder.digest(pictures_of_it, options.on_bad_image, options.verify_images),
        examples=len(sources),
        records=functools.partial(
            worker.records, sources, options.on_bad_image, options.verify_images == "decode"
        ),
    )


def _check_totals(inventory: Inventory, written: manifest.Manifest) -> None:
    """Compares what was written with what was to be, picture by picture left out."""
    expected = {split: len(sources) for split, sources in inventory.splits.items()}
    found = _num_inputs(written)
    if found != expected:
        raise RuntimeError(f"Of {expected} pictures, {found} were written or left out.")


def _num_inputs(written: manifest.Manifest) -> dict[str, int]:
    """Returns split -> number of pictures that its records were made from or that were left out."""
    counts = collections.Counter()
    for shard in written.shards:
        skipped = sum(action == "skipped" for _, _, action in shard.problems)
        counts[shard.split] += shard.records + skipped
    return dict(counts)
