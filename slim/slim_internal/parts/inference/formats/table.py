"""The formats, by the names that `--format` takes.

A format joins by its line among the imports; all else stands in its own file.
"""

import contextlib
import pathlib

from slim_internal.ground.errors import UserError, unknown
from slim_internal.parts.inference.formats import (  # noqa: F401 - the table: modules with formats
    frozen,
    onnx,
    saved_model,
    tflite,
)
from slim_internal.parts.inference.formats.format import Format, Predictor

FORMATS: dict[str, Format] = {
    each.name: each
    for module in tuple(globals().values())
    for each in getattr(module, "FORMATS", ())
}


def get_format(name: str) -> Format:
    """Returns a format.

    Raises:
      UserError: If there is none of that name.
    """
    if name not in FORMATS:
        raise unknown("format", name, FORMATS)
    return FORMATS[name]


def open_network(path: str) -> contextlib.AbstractContextManager[Predictor]:
    """Opens an exported network of any format.

    Raises:
      UserError: If it is missing, of no format, damaged, or has no description that fits.
    """
    found = pathlib.Path(path)
    if not found.exists():
        raise UserError(f"There is no exported network {path}.")
    for each in FORMATS.values():
        if each.recognizes(found):
            return each.open(found)
    if found.is_dir():
        raise UserError(f"{path} is a folder without an exported network.")
    return FORMATS["frozen"].open(found)  # Graphs may have any name.
