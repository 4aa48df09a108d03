"""Tables as CSV files."""

import csv
import io
import pathlib
from collections.abc import Sequence

from slim_internal.ground.files import atomic
from slim_internal.parts.metrics.metric import Table, Value
from slim_internal.parts.metrics.writers import Writer


class CsvTables(Writer):
    """Replaces one file `<name>.csv` in a folder for each table among the results."""

    def __init__(self, folder: str | pathlib.Path):
        self._folder = pathlib.Path(folder)

    def write(self, step: int, values: Sequence[Value]) -> None:
        """Replaces the file of each table."""
        for value in values:
            if isinstance(value.value, Table):
                self._write(self._folder / f"{value.name}.csv", value.value)

    @staticmethod
    def _write(path: pathlib.Path, table: Table) -> None:
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(table.columns)
        writer.writerows(table.rows)
        atomic.write(path, text.getvalue())
