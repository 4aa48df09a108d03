"""The label file of a dataset: the name of each class by its number; needs no TensorFlow."""

import os
import pathlib
from collections.abc import Iterable, Mapping

from slim_internal.ground.errors import UserError
from slim_internal.ground.files import atomic

LABELS_FILENAME = "labels.txt"


def labels_text(class_names: Iterable[str] | Mapping[int, str]) -> str:
    """Returns the text of a label file: one `<label>:<name>` on each line."""
    if not isinstance(class_names, Mapping):
        class_names = dict(enumerate(class_names))
    return "".join(f"{label}:{name}\n" for label, name in class_names.items())


def write_label_file(
    labels_to_class_names: Mapping[int, str],
    dataset_dir: str | os.PathLike,
    filename: str = LABELS_FILENAME,
) -> None:
    """Writes the names of the classes, one `<label>:<name>` on each line."""
    atomic.write(pathlib.Path(dataset_dir, filename), labels_text(labels_to_class_names))


def has_labels(dataset_dir: str | os.PathLike, filename: str = LABELS_FILENAME) -> bool:
    """Returns whether the folder of a dataset has a label file."""
    return pathlib.Path(dataset_dir, filename).exists()


def read_label_file(
    dataset_dir: str | os.PathLike, filename: str = LABELS_FILENAME
) -> dict[int, str]:
    """Returns label -> class name. A name may itself hold colons.

    Raises:
      UserError: A line is not `<label>:<name>`.
    """
    path = pathlib.Path(dataset_dir, filename)
    labels_to_names = {}
    text = path.read_text(encoding="utf-8", errors="surrogateescape")
    for number, line in enumerate(text.split("\n"), start=1):
        label, colon, name = line.partition(":")
        if not line:
            continue
        if not colon or not label.strip().lstrip("-").isdecimal():
            raise UserError(f"{path}, line {number}: expected <label>:<name>, found {line!r}.")
        labels_to_names[int(label)] = name
    return labels_to_names
