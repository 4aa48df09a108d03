"""Finds and reads the reference numbers in tests/golden."""

import json
import pathlib
from typing import Any

_DIRECTORY = pathlib.Path(__file__).parent / "golden"


def path(name: str) -> pathlib.Path:
    """Returns the path of a file of tests/golden, such as "images/gradient.png"."""
    return _DIRECTORY / name


def load(name: str) -> Any:
    """Returns the contents of a JSON file of tests/golden, such as "variables/vgg_16.json"."""
    return json.loads(path(name).read_text(encoding="utf-8"))
