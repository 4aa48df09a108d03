"""Turns the XML annotations of ImageNet into one CSV file of relative bounding boxes.

    python -m datasets.process_bounding_boxes DIRECTORY [SYNSETS_FILE] > boxes.csv

reads `DIRECTORY/<synset>/*.xml` and prints a line for every box:

    n00007846_64193.JPEG,0.0060,0.2620,0.7545,0.9940

which is the image's file, xmin, ymin, xmax and ymax, as shares of the image's width and height.
With a file of synsets, one a line, only the boxes of these are printed.
"""

import collections
import dataclasses
import os
import pathlib
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Collection, Iterable, Iterator

if not __package__:  # Run as a file, Python looks for modules beside it instead of in slim/.
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from datasets import imagenet_classes
from slim_internal.ground import cli, errors

_MISSING = -1  # What `GetInt` returns for a number that is not there.
_SIDES = ("xmin", "ymin", "xmax", "ymax")


@dataclasses.dataclass
class BoundingBox:
    """One annotated object.

    Attributes:
      filename: The image's, as the annotation gives it.
      label: What the annotation calls the object: a WordNet id, or a name for some dogs.
      width: Of the annotated image, in pixels.
      height: The same.
      xmin, ymin, xmax, ymax: Corners in pixels of the annotated image.
    """

    filename: str | None = None
    label: str | None = None
    width: int = 0
    height: int = 0
    xmin: int = 0
    ymin: int = 0
    xmax: int = 0
    ymax: int = 0

    @property
    def scaled(self) -> tuple[float, float, float, float]:
        """Xmin, ymin, xmax, ymax put into order, as shares of the image, clamped to 0..1."""
        xmin, xmax = _scaled(self.xmin, self.xmax, self.width)
        ymin, ymax = _scaled(self.ymin, self.ymax, self.height)
        return xmin, ymin, xmax, ymax

    @property
    def is_empty(self) -> bool:
        """Whether nothing of the box lies inside the image."""
        xmin, ymin, xmax, ymax = self.scaled
        return xmin >= xmax or ymin >= ymax


def _scaled(first: int, second: int, size: int) -> tuple[float, float]:
    low, high = sorted((first / size, second / size))
    return max(low, 0.0), min(high, 1.0)


# The names of the next four functions are part of the library's published interface.


def GetItem(name, root, index=0):  # noqa: N802
    """Returns the text of the `index`-th element called `name` under `root`, None if there is none.

    Args:
      name: Tag of the element.
      root: An `ElementTree` or element, which is searched in document order.
      index: Which of the elements of that name, counted from 0.
    """
    for position, element in enumerate(root.iter(name)):
        if position == index:
            return element.text
    return None


def GetInt(name, root, index=0):  # noqa: N802
    """Returns the number that the `index`-th element called `name` holds, -1 if there is none.

    Raises:
      ValueError: if the element holds something else.
    """
    text = GetItem(name, root, index)
    return _MISSING if text is None else int(text)


def FindNumberBoundingBoxes(root):  # noqa: N802
    """Returns the number of boxes under `root`: of `xmin` elements."""
    return sum(1 for _ in root.iter("xmin"))


def ProcessXMLAnnotation(xml_file):  # noqa: N802
    """Reads all boxes of one annotation.

    Args:
      xml_file: Path of the annotation, or an open file.

    Returns:
      A list of `BoundingBox`, empty ones included. A corner of -1 pixels is a corner as any other,
      and every box has the name of its own object.

    Raises:
      UserError: if the file is no XML, lacks the image's size or a box lacks a corner.
    """
    try:
        tree = ElementTree.parse(xml_file)
    except ElementTree.ParseError as error:
        raise errors.UserError(f"{_name_of(xml_file)} cannot be parsed: {error}.") from error
    filename = GetItem("filename", tree)
    boxes = []
    try:
        size = GetInt("width", tree), GetInt("height", tree)
        for node in tree.findall("object"):
            label = GetItem("name", node)
            for index in range(FindNumberBoundingBoxes(node)):
                if min(size) <= 0:
                    raise ValueError("no size")
                corners = [int(GetItem(side, node, index)) for side in _SIDES]
                boxes.append(BoundingBox(filename, label, *size, *corners))
    except (TypeError, ValueError) as error:
        raise errors.UserError(
            f"{_name_of(xml_file)} has a box without four corners in an image of known size."
        ) from error
    return boxes


def _name_of(xml_file) -> str:
    return str(getattr(xml_file, "name", xml_file))


@dataclasses.dataclass
class Selection:
    """Chooses the boxes to keep and counts the others.

    Attributes:
      synsets: The synsets whose boxes are wanted; None for all.
      files: Number of annotations seen.
      skipped_files: Of these, those of a synset that is not wanted, or without a box to keep.
      skipped_boxes: Boxes dropped because they are empty or show another wanted synset.
      boxes: Boxes kept.
    """

    synsets: Collection[str] | None = None
    files: int = 0
    skipped_files: int = 0
    skipped_boxes: int = 0
    boxes: int = 0

    def wants(self, synset: str) -> bool:
        """Counts an annotation of a synset and says whether it needs to be read."""
        self.files += 1
        wanted = self.synsets is None or synset in self.synsets
        self.skipped_files += not wanted
        return wanted

    def choose(self, synset: str, boxes: list[BoundingBox]) -> list[BoundingBox]:
        """Returns those boxes of an annotation of a wanted synset that are kept."""
        kept = [box for box in boxes if not box.is_empty and not self._shows_other(box, synset)]
        self.skipped_boxes += len(boxes) - len(kept)
        self.skipped_files += not kept
        self.boxes += len(kept)
        return kept

    def _shows_other(self, box: BoundingBox, synset: str) -> bool:
        # Names of dogs stand for the synset itself; another synset of the challenge does not.
        return self.synsets is not None and box.label != synset and box.label in self.synsets

    def summary(self) -> str:
        """Returns what was seen and kept, in words."""
        return (
            f"Finished processing {self.files} XML files.\n"
            f"Skipped {self.skipped_files} XML files not in ImageNet Challenge.\n"
            f"Skipped {self.skipped_boxes} bounding boxes not in ImageNet Challenge.\n"
            f"Wrote {self.boxes} bounding boxes from "
            f"{self.files - self.skipped_files} annotated images."
        )


def csv_lines(directory: str | os.PathLike, selection: Selection) -> Iterator[str]:
    """Yields the CSV lines of all annotations in `directory/<synset>/*.xml`, sorted by name."""
    for path in sorted(pathlib.Path(directory).glob("*/*.xml")):
        synset = path.parent.name
        if selection.wants(synset):
            for box in selection.choose(synset, ProcessXMLAnnotation(path)):
                yield csv_line(path.stem, box)


def csv_line(stem: str, box: BoundingBox) -> str:
    """Returns the line of a box; `stem` is the image's file name without its extension."""
    corners = ",".join(f"{corner:.4f}" for corner in box.scaled)
    return f"{stem}.JPEG,{corners}"


def parse_csv(
    lines: Iterable[str], name: str | os.PathLike = "bounding boxes"
) -> dict[str, tuple[tuple[float, float, float, float], ...]]:
    """Returns {image's file name: its boxes as (xmin, ymin, xmax, ymax)} of such a CSV file.

    Args:
      lines: The lines of the file.
      name: What to call it in an error.

    Raises:
      UserError: if a line has not five columns or a corner is no number.
    """
    boxes = collections.defaultdict(list)
    for number, line in enumerate(lines, start=1):
        image, *corners = line.strip().split(",")
        try:
            xmin, ymin, xmax, ymax = map(float, corners)
        except ValueError:
            raise errors.UserError(
                f"Line {number} of {name} is not a file name and four numbers: {line.strip()!r}"
            ) from None
        boxes[image].append((xmin, ymin, xmax, ymax))
    return {image: tuple(found) for image, found in boxes.items()}


def main(arguments):
    """Prints the boxes on standard output and the counts on standard error."""
    if len(arguments) not in (1, 2):
        print("Usage: process_bounding_boxes DIRECTORY [SYNSETS_FILE]", file=sys.stderr)
        return -1
    directory, *synsets_file = arguments
    synsets = None
    if synsets_file:
        synsets = frozenset(imagenet_classes.read_synsets(*synsets_file))
    selection = Selection(synsets)
    for line in csv_lines(directory, selection):
        print(line)
    if not selection.files:
        raise errors.UserError(f"{directory} holds no annotations (<synset>/*.xml).")
    print(f"{selection.summary()}\nFinished.", file=sys.stderr)
    return 0


if __name__ == "__main__":
    cli.run(main, max_arguments=sys.maxsize, tensorflow=False)  # `main` counts them.
