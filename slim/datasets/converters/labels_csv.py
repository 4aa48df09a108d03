"""Reads a CSV of `path,label,split` lines, and says what people's programs wrote instead of one."""

import csv
import io
import os
import pathlib
from collections.abc import Collection, Iterable

from slim_internal.ground.errors import UserError, unknown
from slim_internal.ground.errors.escaping import escaped
from slim_internal.ground.images import reading
from slim_internal.ground.images.image import BadImageError

# A row as it is meant: path below the root, class name, split or "".
Row = tuple[str, str, str]

_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_MISSING = ("nan", "<na>", "#n/a", "n/a", "null", "nat")
_OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}
_SHOWN = 100  # Characters of a row.
_FEW = 4  # Null characters, of which nothing follows.


def read(path: str, root: str, splits: Collection[str]) -> list[Row]:
    """Returns the rows of a CSV in order of path.

    Args:
      path: The CSV, in UTF-8, with commas; a first line that begins with "path" is a header.
      root: Folder that the paths begin at.
      splits: The names of splits, in lower case.

    Raises:
      UserError: It is no such CSV, or a row names no file, no label or another split.
    """
    found: dict[str, Row] = {}
    rows = csv.reader(_lines(path), skipinitialspace=True)
    filled = (entry for entry in enumerate(rows, start=1) if any(map(str.strip, entry[1])))
    for index, (number, row) in enumerate(filled):
        if index == 0 and row[0].strip().lower() == "path":
            continue
        entry = _row(row, f"{path}, line {number}", root, splits, may_be_header=index == 0)
        # However a path goes there, an image is one image.
        place = os.path.abspath(os.path.join(root, entry[0]))
        if place in found:
            raise UserError(f"{path}, line {number}: {entry[0]!r} is listed twice.")
        found[place] = entry
    if not found:
        raise UserError(f"{path} lists no images; its lines must be path,label,split.")
    return sorted(found.values())


def _lines(path: str) -> Iterable[str]:
    try:
        data = reading.read(path)
    except BadImageError as error:
        raise UserError(f"--labels_csv={path} cannot be used: {error}.") from error
    if not data.strip():
        raise UserError(f"{path} is empty; its lines must be path,label,split.")
    # Every other byte of Latin text in UTF-16 is zero.
    zeros = sorted((data[::2].count(0), data[1::2].count(0)))
    if data.startswith(_UTF16_MARKS) or 8 * zeros[0] < zeros[1] > _FEW + len(data) // 4:
        raise UserError(f"{path} is text in UTF-16; save it as CSV in UTF-8.")
    if sum(zeros) > _FEW + len(data) // 4:
        raise UserError(f"{path} is no text; save it as CSV in UTF-8.")
    try:
        text = data.decode("utf-8-sig")
        list(csv.reader(io.StringIO(text, newline="")))
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} is no CSV in UTF-8: {error}.") from error
    return io.StringIO(text, newline="")


def _row(
    row: list[str], place: str, root: str, splits: Collection[str], *, may_be_header: bool
) -> Row:
    if len(row) == 1:
        for separator, name in _OTHER_SEPARATORS.items():
            if separator in row[0]:
                raise UserError(f"{place}: the columns are separated by {name}; use commas.")
    if len(row) not in (2, 3) or not row[1].strip():
        shown = ",".join(row)
        shown = escaped(shown[:_SHOWN]) + "..." * (len(shown) > _SHOWN)
        raise UserError(f"{place}: expected path,label,split. Found: {shown}.")
    path, label, split = (*row, "")[:3]
    image = pathlib.Path(root, path)
    if not _is_file(image):
        hint = " A header must begin with the column 'path'." * (may_be_header and not image.suffix)
        raise UserError(f"{place}: there is no file {_short(image)!r}.{hint}")
    if label.strip().lower() in _MISSING:
        raise UserError(
            f"{place}: the label is {label.strip()!r}, which programs write where one is missing."
            " Remove the line, or give the class another name."
        )
    split = split.strip().lower()
    if split and split not in splits:
        raise unknown("split", split, splits, f"It stands in {place}.")
    inside = os.path.isabs(path) and image.is_relative_to(os.path.abspath(root))
    name = image.relative_to(os.path.abspath(root)) if inside else path
    return pathlib.PurePath(os.path.normpath(name)).as_posix(), label.strip(), split


def _is_file(path: pathlib.Path) -> bool:
    """Returns whether a file is there, under a name that a file can have."""
    try:
        return "\0" not in os.fspath(path) and path.is_file()
    except OSError:  # The name is too long.
        return False


def _short(path: pathlib.Path) -> str:
    text = os.fspath(path)
    return text if len(text) <= 4 * _SHOWN else f"{text[:_SHOWN]}...{text[-_SHOWN:]}"
