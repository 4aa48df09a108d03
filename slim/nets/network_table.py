"""The networks as a table: for the terminal, for programs, for docs/networks.md."""

import dataclasses
import json
from collections.abc import Iterable, Iterator, Sequence

from nets import graph_cost
from nets.network import Network
from slim_internal.ground.progress import reporting

_COLUMNS = {
    "network": "{name}",
    "size": "{default_image_size}",
    "classes": "{num_classes}",
    "parameters": "{parameters:,}",
    "multiply-adds": "{multiply_adds:,}",
    "top-1": "{top1}",
    "top-5": "{top5}",
    "checkpoint": "{archive}",
    "paper": "{paper}",
}
_NUMBERS = ("size", "classes", "parameters", "multiply-adds", "top-1", "top-5")


@dataclasses.dataclass(frozen=True)
class Row:
    """A network and what it costs to classify one image or clip of its default size."""

    network: Network
    parameters: int
    multiply_adds: int

    def cells(self) -> list[str]:
        """Returns the columns of the table; of several checkpoints the first one stands there."""
        checkpoints = self.network.checkpoints
        first = checkpoints[0] if checkpoints else None
        others = f" and {len(checkpoints) - 1} more" if len(checkpoints) > 1 else ""
        facts = {
            "name": self.network.name,
            "default_image_size": self.network.default_image_size,
            "num_classes": self.network.num_classes,
            "parameters": self.parameters,
            "multiply_adds": self.multiply_adds,
            "top1": (first and first.top1) or "-",
            "top5": (first and first.top5) or "-",
            "archive": first.archive + others if first else "-",
            "paper": self.network.paper,
        }
        return [column.format(**facts) for column in _COLUMNS.values()]

    def facts(self) -> dict:
        """Returns everything as plain values, all checkpoints included."""
        return {
            "name": self.network.name,
            "default_image_size": self.network.default_image_size,
            "num_classes": self.network.num_classes,
            "parameters": self.parameters,
            "multiply_adds": self.multiply_adds,
            "preprocessing": self.network.preprocessing,
            "paper": self.network.paper,
            "checkpoints": [
                {"archive": checkpoint.archive, **dataclasses.asdict(checkpoint)}
                for checkpoint in self.network.checkpoints
            ],
        }


def rows(
    networks: Sequence[Network], progress: reporting.Progress = reporting.silent
) -> Iterator[Row]:
    """Yields the rows of networks; each takes seconds, for its graph is built.

    Args:
      networks: The networks.
      progress: Called as rows are finished.
    """
    meter = reporting.Meter(progress, "Counted", total=len(networks), unit="networks", interval=0)
    for done, network in enumerate(networks):
        meter.reach(done)
        yield Row(network, *graph_cost.of_network(network))


def text(rows: Iterable[Row]) -> str:
    """Returns a table for the terminal."""
    lines = [list(_COLUMNS), *(row.cells() for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    aligned = (
        (
            cell.rjust(width) if name in _NUMBERS else cell.ljust(width)
            for name, cell, width in zip(_COLUMNS, line, widths, strict=True)
        )
        for line in lines
    )
    return "\n".join("  ".join(line).rstrip() for line in aligned)


def markdown(rows: Iterable[Row]) -> str:
    """Returns the table of docs/networks.md."""
    rules = ["--:" if name in _NUMBERS else "---" for name in _COLUMNS]
    lines = [list(_COLUMNS), rules, *(row.cells() for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def as_json(rows: Iterable[Row]) -> str:
    """Returns a list of objects, one per network."""
    return json.dumps([row.facts() for row in rows], indent=2)


FORMATS = {"text": text, "markdown": markdown, "json": as_json}
