"""Which network was written in which format, and how near to its checkpoint each file was.

The numbers stand in `export_formats.tsv`; `tools/measure_formats` measures them.
"""

import dataclasses
import json
import pathlib
from collections.abc import Iterable, Mapping, Sequence

PATH = pathlib.Path(__file__).with_name("export_formats.tsv")
# How the problem begins where it was the measurement's, not the format's.
NOT_MEASURED = "not measured"
# The networks that make images. They are no classifiers, which is what export_inference_graph
# writes; the table says how the converters take their graphs.
GENERATORS = ("cyclegan_generator_resnet", "dcgan_generator", "pix2pix_generator")


@dataclasses.dataclass(frozen=True)
class Entry:
    """A network in a format.

    Attributes:
      network: Name of the network.
      image_size: Height and width in pixels of the images that it was written for.
      format: Name of the format.
      megabytes: Size of the file or folder; empty if the network cannot be written so.
      difference: Largest difference of a probability from the checkpoint's, 0 to 1; of a pixel by
        the standard deviation of all, for a generator.
      agreement: Fraction of images with the same most likely class, 0 to 1; empty for a generator.
      problem: Why it cannot be written, or nothing.
    """

    network: str
    image_size: str
    format: str
    megabytes: str = ""
    difference: str = ""
    agreement: str = ""
    problem: str = ""

    @property
    def cell(self) -> str:
        """What the table says of it."""
        if self.problem:
            return "-" if self.problem.startswith(NOT_MEASURED) else "no"
        agreement = f", {float(self.agreement):.0%}" if self.agreement else ""
        return f"{self.megabytes} MB, {self.difference}{agreement}"


_COLUMNS = tuple(field.name for field in dataclasses.fields(Entry))


def read(path: pathlib.Path = PATH) -> list[Entry]:
    """Returns all that was measured; nothing if there is no such file."""
    if not path.exists():
        return []
    _, *lines = path.read_text(encoding="utf-8").splitlines()
    return [Entry(*line.split("\t")) for line in lines]


def encode(entries: Iterable[Entry]) -> str:
    """Returns the contents of a file of entries, in order."""
    ordered = sorted(entries, key=lambda entry: (entry.network, entry.format))
    lines = [_COLUMNS, *map(dataclasses.astuple, ordered)]
    return "".join("\t".join(line) + "\n" for line in lines)


def _table(names: Sequence[str], entries: Iterable[Entry]) -> list[list[str]]:
    """Returns the cells, one line per network and the heading first."""
    found: Mapping = {(entry.network, entry.format): entry for entry in entries}
    formats = sorted({entry.format for entry in found.values()})
    lines = [["network", "size", *formats]]
    for name in names:
        row = [found.get((name, each)) for each in formats]
        size = next((entry.image_size for entry in row if entry), "-")
        lines.append([name, size, *(entry.cell if entry else "-" for entry in row)])
    return lines


def text(names: Sequence[str], entries: Sequence[Entry]) -> str:
    """Returns a table for the terminal, and the reasons below it."""
    lines = _table(names, entries)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    table = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    return "\n".join([*table, *_reasons(names, entries)])


def markdown(names: Sequence[str], entries: Sequence[Entry]) -> str:
    """Returns the table of docs/formats.md."""
    heading, *lines = _table(names, entries)
    rule = ["---", "--:", *["---"] * (len(heading) - 2)]
    table = [f"| {' | '.join(line)} |" for line in (heading, rule, *lines)]
    return "\n".join([*table, "", *(f"- {reason}" for reason in _reasons(names, entries))])


def _reasons(names: Sequence[str], entries: Iterable[Entry]) -> list[str]:
    return [
        f"{entry.network}, {entry.format}: {entry.problem}"
        for entry in entries
        if entry.problem and entry.network in names
    ]


def as_json(names: Sequence[str], entries: Iterable[Entry]) -> str:
    """Returns a list of objects, one per network and format."""
    rows = [dataclasses.asdict(entry) for entry in entries if entry.network in names]
    return json.dumps(rows, indent=2)


FORMATS = {"text": text, "markdown": markdown, "json": as_json}
