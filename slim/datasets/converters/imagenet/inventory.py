"""Lists the images of both splits with their labels and boxes, from archives or from folders."""

import dataclasses
import itertools
import logging
import os
import pathlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from datasets import imagenet_classes, process_bounding_boxes
from datasets.converters.imagenet import boxes, devkit, tar_index
from datasets.converters.imagenet.archives import Archives
from datasets.converters.imagenet.source import Source
from datasets.imagenet_classes import ImagenetClass
from slim_internal.ground import errors
from slim_internal.ground.progress import reporting

# Images of the whole challenge.
OFFICIAL_SIZES = {"validation": 50_000, "train": 1_281_167}
# Bounding boxes around what its training images show.
OFFICIAL_BOXES = 615_299

_LOG = logging.getLogger(__name__)
_VALIDATION_NAME = re.compile(r"ILSVRC2012_val_(\d{8})\.JPEG")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Inventory:
    """All that a conversion is made from.

    Attributes:
      splits: Split -> its images, sorted by file name. The order of the splits is the order
        in which they are written.
      class_names: Name of each class by label.
      bounding_boxes: Text of the bounding-box CSV file to be written; None where the user has
        that file, or wants no boxes.
    """

    splits: Mapping[str, Sequence[Source]]
    class_names: tuple[str, ...]
    bounding_boxes: str | None = None


def from_archives(archives: Archives, *, whole: bool = True) -> Inventory:
    """Lists what the official archives hold.

    Args:
      archives: Where they are.
      whole: Whether they must hold the whole challenge; then their digests have been compared.

    Raises:
      UserError: if an archive cannot be read, the archives do not go together, or images are
        missing from the whole.
    """
    classes = imagenet_classes.by_wordnet_id()
    csv = _boxes_csv(archives.boxes, classes, whole) if archives.boxes else None
    _LOG.info("Listing the images of %s and %s.", archives.validation, archives.train)
    validation = _validation_sources(archives, classes)
    found_boxes = process_bounding_boxes.parse_csv((csv or "").splitlines())
    train = _train_sources(archives, classes, found_boxes)
    inventory = Inventory(
        splits={
            "validation": _sorted(validation, vouched_for=whole),
            "train": _sorted(train, vouched_for=whole),
        },
        class_names=tuple(imagenet_classes.labels_to_names().values()),
        bounding_boxes=csv,
    )
    _check(inventory, whole)
    return inventory


def _boxes_csv(path: str, classes: Mapping, whole: bool) -> str:
    _LOG.info("Reading the bounding boxes of %s.", path)
    csv = boxes.archive_csv(path, classes)
    found = csv.count("\n")
    if whole and found != OFFICIAL_BOXES:
        # No error: nobody has published a checksum of this archive, so there may be several.
        _LOG.warning("%s holds %d bounding boxes instead of %d.", path, found, OFFICIAL_BOXES)
    return csv


def _validation_sources(archives: Archives, classes: Mapping) -> Iterator[Source]:
    synsets = devkit.validation_synsets(archives.devkit)
    for member in tar_index.index(archives.validation):
        filename = os.path.basename(member.name)
        match = _VALIDATION_NAME.fullmatch(filename)
        if not match or not 1 <= int(match[1]) <= len(synsets):
            raise errors.UserError(
                f"{archives.validation} holds {member.name!r}, which is none of the "
                f"{len(synsets)} validation images that {archives.devkit} knows."
            )
        shows = _class(classes, synsets[int(match[1]) - 1], archives.devkit)
        yield Source(archives.validation, member.offset, member.size, filename, shows)


def _train_sources(archives: Archives, classes: Mapping, found_boxes: Mapping) -> Iterator[Source]:
    path = archives.train
    for synset, member in tar_index.index_nested(path):
        shows = _class(classes, synset, path)
        filename = os.path.basename(member.name)
        boxes_of_it = found_boxes.get(filename, ())
        yield Source(path, member.offset, member.size, filename, shows, boxes_of_it)


def _class(classes: Mapping[str, ImagenetClass], synset: str, path: str) -> ImagenetClass:
    if synset not in classes:
        raise errors.UserError(f"{path} names {synset!r}, which is no class of the challenge.")
    return classes[synset]


def _sorted(sources: Iterable[Source], *, vouched_for: bool) -> list[Source]:
    """Sorts by name, so that nothing depends on the order in which images were found."""
    found = []
    with reporting.Meter(reporting.ProgressLog(), "Listed", unit="images") as meter:
        for source in sources:  # In the order in which they lie on the disk.
            found.append(source.with_sample(vouched_for=vouched_for))
            meter.advance()
    ordered = sorted(found, key=lambda source: (source.filename, source.path))
    for one, other in itertools.pairwise(ordered):
        if one.filename == other.filename:
            raise errors.UserError(f"{one.path} holds two images called {one.filename}.")
    return ordered


def _check(inventory: Inventory, whole: bool) -> None:
    sizes = {split: len(sources) for split, sources in inventory.splits.items()}
    classes = len({source.shows for source in inventory.splits["train"]})
    found = ", ".join(f"{size} of {split}" for split, size in sizes.items())
    _LOG.info("Found images of %d classes: %s.", classes, found)
    if whole and (sizes != OFFICIAL_SIZES or classes != len(imagenet_classes.classes())):
        raise errors.UserError(
            f"The archives do not hold the whole challenge but {found} images of {classes} "
            f"classes. If a subset is meant, say --archive_checksums=off."
        )
    for split, size in sizes.items():
        if not size:
            raise errors.UserError(f"There are no images of the {split} split.")


def from_folders(
    *,
    train_directory: str,
    validation_directory: str,
    labels_file: str,
    imagenet_metadata_file: str,
    bounding_box_file: str = "",
) -> Inventory:
    """Lists images that lie unpacked at `<directory>/<synset>/*.JPEG`.

    Args:
      train_directory: Folder of the training images.
      validation_directory: Folder of the validation images.
      labels_file: The synsets, one a line, in the order of their labels, which start at 1.
      imagenet_metadata_file: Lines of `<synset>\\t<names>`.
      bounding_box_file: The CSV file of boxes; empty for none.

    Raises:
      UserError: if a file or folder is missing or holds something else.
    """
    names = _metadata(imagenet_metadata_file)
    classes = []
    for label, synset in enumerate(_read(labels_file).split(), start=1):
        if synset not in names:
            raise errors.UserError(f"{imagenet_metadata_file} has no name for {synset}.")
        classes.append(ImagenetClass(label, synset, names[synset]))
    csv = _read(bounding_box_file) if bounding_box_file else ""
    found_boxes = process_bounding_boxes.parse_csv(csv.splitlines(), name=bounding_box_file)
    folders = {"validation": validation_directory, "train": train_directory}
    inventory = Inventory(
        splits={
            split: _sorted(_folder_sources(folder, classes, found_boxes), vouched_for=False)
            for split, folder in folders.items()
        },
        class_names=(imagenet_classes.BACKGROUND, *(entry.names for entry in classes)),
    )
    for split, folder in folders.items():
        if not inventory.splits[split]:
            raise errors.UserError(
                f"No {folder}/<synset>/*.JPEG for any synset of {labels_file}. "
                "preprocess_imagenet_validation_data sorts the validation images into folders."
            )
    return inventory


def _folder_sources(
    folder: str, classes: Iterable[ImagenetClass], found_boxes: Mapping
) -> Iterator[Source]:
    for shows in classes:
        for path in pathlib.Path(folder, shows.wordnet_id).glob("*.JPEG"):
            boxes_of_it = found_boxes.get(path.name, ())
            size = path.stat().st_size if path.exists() else 0  # A broken link is told of later.
            yield Source(os.fspath(path), None, size, path.name, shows, boxes_of_it)


def _metadata(path: str) -> dict[str, str]:
    names = {}
    for number, line in enumerate(_read(path).splitlines(), start=1):
        synset, tab, text = line.partition("\t")
        if not tab:
            raise errors.UserError(f"Line {number} of {path} is not <synset> TAB <names>: {line!r}")
        names[synset] = text
    return names


def _read(path: str) -> str:
    try:
        return pathlib.Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise errors.UserError(f"{path} is no text file: {error}.") from error
