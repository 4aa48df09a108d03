"""Reads a CSV of `path,label,split` lines, and says what people's programs wrote instead of one."""

import csv
import os
import pathlib
from collections.abc import Collection

from slim_internal.ground.errors import UserError, unknown

# A row as it is meant: path below the root, class name, split or "".
Row = tuple[str, str, str]

_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_MISSING = ("nan", "<na>", "#n/a")
_OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}


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
    for number, row in enumerate(csv.reader(_lines(path)), start=1):
        is_header = number == 1 and row and row[0].strip().lower() == "path"
        if not row or is_header:
            continue
        entry = _row(row, f"{path}, line {number}", root, splits)
        if entry[0] in found:
            raise UserError(f"{path}, line {number}: {entry[0]!r} is listed twice.")
        found[entry[0]] = entry
    if not found:
        raise UserError(f"{path} lists no images; its lines must be path,label,split.")
    return sorted(found.values())


def _lines(path: str) -> list[str]:
    data = pathlib.Path(path).read_bytes()
    if not data.strip():
        raise UserError(f"{path} is empty; its lines must be path,label,split.")
    if data.startswith(_UTF16_MARKS):
        raise UserError(f"{path} is text in UTF-16; save it as CSV in UTF-8.")
    try:
        text = data.decode("utf-8-sig")
        lines = text.splitlines(keepends=True)
        list(csv.reader(lines))
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} is no CSV in UTF-8: {error}.") from error
    return lines


def _row(row: list[str], place: str, root: str, splits: Collection[str]) -> Row:
    if len(row) == 1:
        for separator, name in _OTHER_SEPARATORS.items():
            if separator in row[0]:
                raise UserError(f"{place}: the columns are separated by {name}; use commas.")
    if len(row) not in (2, 3) or not row[1].strip():
        raise UserError(f"{place}: expected path,label,split. Found: {','.join(row)}.")
    path, label, split = (*row, "")[:3]
    if label.strip().lower() in _MISSING:
        raise UserError(
            f"{place}: the label is {label.strip()!r}, which programs write where one is missing."
            " Remove the line, or give the class another name."
        )
    split = split.strip().lower()
    if split and split not in splits:
        raise unknown("split", split, splits, f"It stands in {place}.")
    image = pathlib.Path(root, path)
    if "\0" in path or not image.is_file():
        raise UserError(f"{place}: there is no file {os.fspath(image)!r}.")
    # However a path goes there, an image is one image.
    return pathlib.PurePath(os.path.normpath(path)).as_posix(), label.strip(), split
