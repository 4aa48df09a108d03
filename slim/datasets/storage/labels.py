"""The label file of a dataset: the name of each class by its number; needs no TensorFlow."""

import os
import pathlib
import re
from collections.abc import Iterable, Mapping

from slim_internal.ground.errors import UserError
from slim_internal.ground.files import atomic

LABELS_FILENAME = "labels.txt"

_LABEL_MAP_ITEM = re.compile(r"\bitem\s*\{([^}]*)\}")
_ID = re.compile(r"\bid\s*:\s*(\d+)")
_NAME = re.compile(r"\b(display_name|name)\s*:\s*(?:\"([^\"]*)\"|'([^']*)')")


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


def read_any_label_file(path: str | os.PathLike) -> dict[int, str]:
    """Returns label -> class name of a file that people or other tools wrote.

    Each line is `<label>:<name>`, or each is a name, the first that of label 0; or the file is a
    label map of the Object Detection API.

    Raises:
      UserError: It cannot be read, or is nothing of these.
    """
    try:
        text = pathlib.Path(path).read_text(encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise UserError(f"Cannot read the labels in {path}: {error.strerror}.") from error
    lines = text.rstrip().splitlines()
    if not lines or "\0" in text:
        raise UserError(f"{path} holds no labels: it is {'no text' if lines else 'empty'}.")
    if _LABEL_MAP_ITEM.search(text):
        return _read_label_map(path, text)
    if re.match(r"\s*\d+\s*:", lines[0]):
        return read_label_file(os.path.dirname(path), os.path.basename(path))
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            raise UserError(f"{path}, line {number}: the name of label {number - 1} is missing.")
    return {label: line.strip() for label, line in enumerate(lines)}


def _read_label_map(path: str | os.PathLike, text: str) -> dict[int, str]:
    names = {}
    for item in _LABEL_MAP_ITEM.findall(text):
        label = _ID.search(item)
        named = {kind: double or single for kind, double, single in _NAME.findall(item)}
        if not label or not named:
            shown = " ".join(item.split())
            raise UserError(f"{path}: the item {{{shown}}} of the label map lacks id or name.")
        names[int(label[1])] = named.get("display_name", named.get("name"))
    return names
