"""Converts anybody's images: `<class>/.../<image>`, optionally below one folder per split.

A CSV of `path,label,split` lines can take the place of the folders' meaning; its last column may
be empty or missing. Images to which nothing assigns a split are divided class by class.
"""

import collections
import contextlib
import functools
import itertools
import logging
import os
import pathlib
from collections.abc import Iterable, Mapping, Sequence, Set

from datasets.conversion.plan import Fetch, Plan
from datasets.conversion.settings import Conversion
from datasets.converters import labelled_files, labels_csv, split_folders
from datasets.converters.labelled_files import LabelledFile
from datasets.record import DatasetRecord
from slim_internal.ground.errors import UserError

_IMAGES_PER_SHARD = 1000
# Images that TensorFlow cannot decode.
_UNREADABLE_IMAGES = (
    *(".avif", ".heic", ".heif", ".j2c", ".j2k", ".jp2", ".jpf", ".jpx", ".jxl", ".tif", ".tiff"),
    *(".ai", ".eps", ".exr", ".ico", ".pbm", ".pgm", ".ppm", ".psd", ".svg", ".tga"),
    *(".arw", ".cr2", ".cr3", ".dng", ".nef", ".orf", ".raf", ".raw", ".rw2"),
)

# An image as found: path, class name, split or "" for one that is to be chosen.
_Found = tuple[str, str, str]

_LOG = logging.getLogger(__name__)


def plan(record: DatasetRecord, config: Conversion, fetch: Fetch) -> Plan:
    """Plans shards of about a thousand images for every split."""
    del fetch  # The images are here already.
    if not config.source or not os.path.isdir(config.source):
        raise UserError(
            "image_folder needs --source, the folder that holds one folder of images per class. "
            f"Received: {config.source!r}."
        )
    found = _from_csv(config) if config.labels_csv else _from_folders(config)
    class_names = _class_names(found, config)
    _warn_of_equal_names(class_names)
    _warn_of_odd_classes(class_names, found)
    digests = labelled_files.digests(config.source, [path for path, _, _ in found])
    labels = {name: label for label, name in enumerate(class_names)}
    members: dict[str, list[tuple[LabelledFile, str]]] = {name: [] for name in class_names}
    for path, name, split in found:
        members[name].append((LabelledFile(path, labels[name], digests[path]), split))
    splits: dict[str, list[LabelledFile]] = {}
    for name in class_names:
        for split, file in _divided(members[name], config):
            splits.setdefault(split, []).append(file)
    if set(splits) == {"train"} and config.validation_fraction:
        _LOG.info(
            "There is no validation split: a class needs two images that are not assigned to one."
        )
    shards = [
        shard
        for split, files in sorted(splits.items())
        for shard in labelled_files.plan_shards(
            config.source,
            labelled_files.shuffled(files, config.seed),
            config,
            split=split,
            pattern=record.file_pattern,
            num_shards=config.num_shards or -(-len(files) // _IMAGES_PER_SHARD),
            own_images=True,
        )
    ]
    return Plan(
        dataset="image_folder",
        class_names=class_names,
        shards=tuple(shards),
        left_out={} if config.labels_csv else _left_out(config),
        needed_bytes=sum(_size(config.source, path) for path, _, _ in found),
        max_problems=config.max_bad_images,
        look_at_skipped=functools.partial(_warn_of_lost_classes, splits, class_names),
    )


def _warn_of_lost_classes(
    splits: Mapping[str, Sequence[LabelledFile]], class_names: Sequence[str], skipped: Set[str]
) -> None:
    """Warns of classes of which a split has no image left, although it has others."""
    for split, files in sorted(splits.items()):
        all_of_class = collections.Counter(file.label for file in files)
        lost = collections.Counter(file.label for file in files if file.path in skipped)
        gone = [label for label, count in sorted(lost.items()) if count == all_of_class[label]]
        if gone and len(gone) < len(all_of_class):
            _LOG.warning(
                "Classes of the %s split of which no image can be used: %d; the first is %r.",
                *(split, len(gone), class_names[gone[0]]),
            )


def _left_out(config: Conversion) -> dict[str, int]:
    """Counts the files that do not call themselves images, by their extension."""
    paths = labelled_files.walk(config.source, leave_out=[config.dataset_dir])
    extensions = (_suffix(path) for path in paths if not labelled_files.is_image(path))
    return dict(sorted(collections.Counter(extensions).items()))


def _suffix(path: str) -> str:
    return pathlib.PurePath(path).suffix.lower()


def _size(root: str, path: str) -> int:
    file = pathlib.Path(root, path)
    return file.stat().st_size if file.exists() else 0  # A broken link is told of later.


def _from_folders(config: Conversion) -> list[_Found]:
    """Takes classes, and splits if there are folders for them, from the paths of the images."""
    # The folder of the dataset may lie among those of the classes; it is none.
    paths = sorted(labelled_files.walk(config.source, leave_out=[config.dataset_dir]))
    images = list(filter(labelled_files.is_image, paths))
    roots = split_folders.roots(images, config)
    found = []
    for path in images:
        root = next((root for root in roots if not root or path.startswith(f"{root}/")), None)
        if root is None:
            continue
        name, *deeper = path.removeprefix(f"{root}/" if root else "").split("/")
        if deeper:
            found.append((path, name, roots[root]))
    _warn_of_the_rest(config, paths, found, roots)
    return found


def _warn_of_the_rest(
    config: Conversion, paths: list[str], found: list[_Found], roots: split_folders.Roots
) -> None:
    """Says what is left out: images outside of classes, files of other kinds, empty classes."""
    taken = {path for path, _, _ in found}
    loose = [path for path in paths if labelled_files.is_image(path) and path not in taken]
    others = [path for path in paths if not labelled_files.is_image(path)]
    suffixes = ", ".join(labelled_files.IMAGE_SUFFIXES)
    for left_out, what in (
        (loose, "images in no class folder"),
        (others, f"files without an image extension ({suffixes})"),
        (_empty_folders(config, taken, roots), "folders without an image"),
    ):
        if left_out:
            _LOG.warning("Skipped %d %s; the first is %r.", len(left_out), what, left_out[0])
    images = collections.Counter(
        suffix for path in others if (suffix := _suffix(path)) in _UNREADABLE_IMAGES
    )
    if images:
        counts = ", ".join(f"{count} {suffix}" for suffix, count in sorted(images.items()))
        _LOG.warning("Images of these formats are not read: %s. Convert them to JPEG.", counts)


def _empty_folders(
    config: Conversion, taken: Iterable[str], roots: split_folders.Roots
) -> list[str]:
    """Returns the folders where those of classes stand that nothing was taken from."""
    filled = {parent.as_posix() for path in taken for parent in pathlib.PurePath(path).parents}
    source = pathlib.Path(config.source)
    # A folder of a split that holds no image is none of the roots.
    return sorted(
        name
        for root in {*roots, ""}
        for path in source.joinpath(root).glob("*")
        if path.is_dir() and labelled_files.is_visible(path.name)
        if path.resolve() != pathlib.Path(config.dataset_dir).resolve()
        if (name := path.relative_to(source).as_posix()) not in filled
    )


def _from_csv(config: Conversion) -> list[_Found]:
    """Takes classes and splits from the lines of a CSV, whose paths begin at the source."""
    rows = labels_csv.read(config.labels_csv, config.source, split_folders.SPLITS)
    return [(path, label, split_folders.SPLITS.get(split, "")) for path, label, split in rows]


def _class_names(found: Iterable[_Found], config: Conversion) -> tuple[str, ...]:
    """Returns the classes in the order of their labels, which is that of the alphabet."""
    where = config.labels_csv or config.source
    names = tuple(sorted({class_name for _, class_name, _ in found}))
    if not names:
        suffixes = ", ".join(labelled_files.IMAGE_SUFFIXES)
        raise UserError(f"{where} holds no images in class folders ({suffixes}).")
    if len(names) == 1:
        raise UserError(
            f"{where} holds only one class, {names[0]!r}; a classifier needs at least two. Is "
            "--source the folder above the class folders?"
        )
    for name in names:
        if "\n" in name or "\r" in name:
            raise UserError(f"The class name {name!r} has a line break, which labels.txt cannot.")
        if "\0" in name:
            raise UserError(f"The class name {name!r} has a null character. Is {where} damaged?")
    return names


def _warn_of_equal_names(class_names: tuple[str, ...]) -> None:
    """Says which names of classes hardly mean two classes, or come from a table of numbers."""
    meant: dict[object, str] = {}
    for name in class_names:
        other = meant.setdefault(_meaning(name), name)
        if other != name:
            _LOG.warning("The classes %r and %r are taken for two: are they one?", other, name)
    floats = [name for name in class_names if isinstance(_meaning(name), float) and "." in name]
    if floats and len(floats) == len(class_names):
        _LOG.warning(
            "Class names are numbers with a point, such as %r: are they integers that a program"
            " wrote so because labels are missing?",
            floats[0],
        )


def _meaning(name: str) -> object:
    """Returns what is equal for names that people take for the same."""
    with contextlib.suppress(ValueError):
        if name.isascii() and name.strip("+-.0123456789 ") == "":
            return float(name)
    return " ".join(name.casefold().replace("_", " ").split())


def _warn_of_odd_classes(class_names: tuple[str, ...], found: list[_Found]) -> None:
    """Says what of the classes is hardly meant: numbers in the order of text, gaps in a split."""
    numbers = [name for name in class_names if name.isascii() and name.isdigit()]
    if numbers != sorted(numbers, key=int):
        pairs = itertools.pairwise(numbers)
        late, after = next((one, other) for one, other in pairs if int(one) > int(other))
        _LOG.warning(
            "Class names are numbers, but labels follow their order as text: %r comes before %r. "
            "Names of equal length (%r) keep their order.",
            late,
            after,
            after.zfill(len(late)),
        )
    splits: dict[str, set[str]] = {}
    for _, name, split in found:
        splits.setdefault(split, set()).add(name)
    divided = splits.pop("", set())  # Its classes are seen in training.
    for split, names in sorted(splits.items()):
        unseen = names - splits.get("train", set()) - divided
        if split != "train" and unseen:
            _LOG.warning(
                "Classes of the %s split without an image for training: %d; the first is %r.",
                split,
                len(unseen),
                min(unseen),
            )
        absent = set(class_names) - names - divided
        if absent:
            _LOG.warning(
                "Classes without an image in the %s split: %d; the first is %r.",
                split,
                len(absent),
                min(absent),
            )


def _divided(
    members: list[tuple[LabelledFile, str]], config: Conversion
) -> Iterable[tuple[str, LabelledFile]]:
    """Yields each image of one class with its split."""
    undecided = []
    for file, split in members:
        if split:
            yield split, file
        else:
            undecided.append(file)
    count = round(len(undecided) * config.validation_fraction)
    if 0 < config.validation_fraction < 1 and len(undecided) > 1:
        # Every class is to be seen in training, and in validation too if it can be.
        count = min(max(count, 1), len(undecided) - 1)
    for rank, file in enumerate(labelled_files.shuffled(undecided, config.seed)):
        yield "validation" if rank < count else "train", file
