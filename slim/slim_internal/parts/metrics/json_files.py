"""Results as JSON: one file that holds the latest, or one line for each time."""

import json
import pathlib
from collections.abc import Sequence
from typing import Any

from slim_internal.ground.files import atomic
from slim_internal.parts.metrics.metric import Table, Value
from slim_internal.parts.metrics.writers import Writer


def _fields(values: Sequence[Value]) -> dict[str, Any]:
    """Returns what JSON can hold; tables have files of their own."""
    return {value.name: value.value for value in values if not isinstance(value.value, Table)}


class JsonFile(Writer):
    """Replaces a file by the latest results, as a whole."""

    def __init__(self, path: str | pathlib.Path):
        self._path = pathlib.Path(path)

    def write(self, step: int, values: Sequence[Value]) -> None:
        """Replaces the file."""
        text = json.dumps(_fields(values), indent=1, ensure_ascii=False)
        atomic.write(self._path, f"{text}\n")


class JsonLines(Writer):
    """Appends the results to a file, one line each time; the step comes first."""

    def __init__(self, path: str | pathlib.Path):
        self._path = pathlib.Path(path)

    def write(self, step: int, values: Sequence[Value]) -> None:
        """Appends a line."""
        text = json.dumps({"step": step, **_fields(values)}, ensure_ascii=False)
        with open(self._path, "ab") as file:
            file.write(f"{text}\n".encode(errors="surrogateescape"))
