"""Converts anybody's pictures: `<class>/.../<picture>`, optionally below one folder per split.

A CSV of `path,label,split` lines can take the place of the folders' meaning; its last column may
be empty or missing. Pictures to which nothing assigns a split are divided class by class.
"""

import csv
import logging
import os
import pathlib
from collections.abc import Iterable

from datasets import builder
from datasets.conversion_options import Conversion
from datasets.converters import labelled_files
from datasets.converters.labelled_files import LabelledFile
from datasets.record import DatasetRecord
from errors import UserError, unknown

# Names that people give their splits -> the names they get.
_SPLITS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
}
_PICTURES_PER_SHARD = 1000

# A picture as found: path, size, class name, split or "" for one that is to be chosen.
_Found = tuple[str, int, str, str]


def plan(record: DatasetRecord, config: Conversion, fetch: builder.Fetch) -> builder.Plan:
    """Plans shards of about a thousand pictures for every split."""
    del fetch  # The pictures are here already.
    if not config.source or not os.path.isdir(config.source):
        raise UserError(
            "image_folder needs --source, the folder that holds one folder of pictures per class. "
            f"Received: {config.source!r}."
        )
    found = _from_csv(config) if config.labels_csv else _from_folders(config.source)
    class_names = _class_names(found, config)
    members: dict[str, list[_Found]] = {name: [] for name in class_names}
    for entry in found:
        members[entry[2]].append(entry)
    splits: dict[str, list[LabelledFile]] = {}
    for label, name in enumerate(class_names):
        for split, file in _divided(members[name], label, config):
            splits.setdefault(split, []).append(file)
    shards = [
        shard
        for split, files in sorted(splits.items())
        for shard in labelled_files.plan_shards(
            config.source,
            labelled_files.shuffled(files, config.seed),
            config,
            split=split,
            pattern=record.file_pattern,
            num_shards=config.num_shards or -(-len(files) // _PICTURES_PER_SHARD),
            own_pictures=True,
        )
    ]
    return builder.Plan(
        dataset="image_folder",
        class_names=class_names,
        shards=tuple(shards),
        needed_bytes=sum(size for _, size, _, _ in found),
        max_problems=config.max_bad_images,
    )


def _from_folders(root: str) -> list[_Found]:
    """Takes classes, and splits if there are folders for them, from the paths of the pictures."""
    paths = sorted(labelled_files.walk(root))
    loose = [path for path, _ in paths if "/" not in path]
    if loose:
        logging.getLogger(__name__).warning(
            "%d pictures stand in no class folder and are left out; the first is %r.",
            len(loose),
            loose[0],
        )
    paths = [(path, size) for path, size in paths if "/" in path]
    tops = {path.partition("/")[0] for path, _ in paths}
    # Only with a class folder below every split folder can "train" be meant as a split.
    by_split = tops <= _SPLITS.keys() and all(path.count("/") > 1 for path, _ in paths)
    if by_split:
        parts = [(path, size, path.split("/")) for path, size in paths]
        return [(path, size, names[1], _SPLITS[names[0]]) for path, size, names in parts]
    return [(path, size, path.partition("/")[0], "") for path, size in paths]


def _from_csv(config: Conversion) -> list[_Found]:
    """Takes classes and splits from the lines of a CSV, whose paths begin at the source."""
    found: dict[str, _Found] = {}
    try:
        with open(config.labels_csv, newline="", encoding="utf-8-sig") as file:
            for number, row in enumerate(csv.reader(file), start=1):
                is_header = number == 1 and row and row[0].strip().lower() == "path"
                if not row or is_header:
                    continue
                entry = _from_row(row, f"{config.labels_csv}, line {number}", config.source)
                if entry[0] in found:
                    raise UserError(
                        f"{config.labels_csv}, line {number}: {entry[0]!r} stands there a second "
                        "time."
                    )
                found[entry[0]] = entry
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{config.labels_csv} is no CSV in UTF-8: {error}.") from error
    return sorted(found.values())


def _from_row(row: list[str], place: str, root: str) -> _Found:
    if len(row) not in (2, 3) or not row[1].strip():
        raise UserError(f"{place}: expected path,label,split. Found: {','.join(row)}.")
    path, label, split = (*row, "")[:3]
    split = split.strip().lower()
    if split and split not in _SPLITS:
        raise unknown("split", split, _SPLITS, f"It stands in {place}.")
    picture = pathlib.Path(root, path)
    if not picture.is_file():
        raise UserError(f"{place}: there is no file {os.fspath(picture)!r}.")
    path = pathlib.PurePath(path).as_posix()
    return path, picture.stat().st_size, label.strip(), _SPLITS.get(split, "")


def _class_names(found: Iterable[_Found], config: Conversion) -> tuple[str, ...]:
    """Returns the classes in the order of their labels, which is that of the alphabet."""
    where = config.labels_csv or config.source
    names = tuple(sorted({class_name for _, _, class_name, _ in found}))
    if not names:
        suffixes = ", ".join(labelled_files.PICTURE_SUFFIXES)
        raise UserError(f"{where} holds no pictures in class folders ({suffixes}).")
    if len(names) == 1:
        raise UserError(
            f"{where} holds only one class, {names[0]!r}; a classifier needs at least two. Is "
            "--source the folder above the class folders?"
        )
    for name in names:
        if "\n" in name or "\r" in name:
            raise UserError(f"The class name {name!r} has a line break, which labels.txt cannot.")
    return names


def _divided(
    members: list[_Found], label: int, config: Conversion
) -> Iterable[tuple[str, LabelledFile]]:
    """Yields each picture of one class with its split."""
    undecided = []
    for path, size, _, split in members:
        file = LabelledFile(path, label, size)
        if split:
            yield split, file
        else:
            undecided.append(file)
    count = round(len(undecided) * config.validation_fraction)
    if config.validation_fraction and len(undecided) > 1:
        # Every class is to be seen in training, and in validation too if it can be.
        count = min(max(count, 1), len(undecided) - 1)
    for rank, file in enumerate(labelled_files.shuffled(undecided, config.seed)):
        yield "validation" if rank < count else "train", file
