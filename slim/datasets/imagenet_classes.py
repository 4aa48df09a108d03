"""The thousand classes of the ImageNet challenge: number, WordNet id and names.

The numbers are those of the published checkpoints: 1 to 1000 in the order of the WordNet ids; 0 is
the background, which no image shows. The table ships with the library, so that a checkpoint can
name its classes without the challenge's development kit and without a network.
"""

import functools
import os
import pathlib
from typing import NamedTuple

from slim_internal.ground.errors import UserError

BACKGROUND = "background"

_TABLE = pathlib.Path(__file__).with_name("imagenet_classes.tsv")


class ImagenetClass(NamedTuple):
    """One class: `label` (1 to 1000), `wordnet_id` ("n01440764") and its comma-separated names."""

    label: int
    wordnet_id: str
    names: str


@functools.cache
def classes() -> tuple[ImagenetClass, ...]:
    """Returns the thousand classes in the order of their labels."""
    lines = _TABLE.read_text(encoding="ascii").splitlines()
    return tuple(
        ImagenetClass(label, *line.split("\t")) for label, line in enumerate(lines, start=1)
    )


def by_wordnet_id() -> dict[str, ImagenetClass]:
    """Returns every class under its WordNet id."""
    return {entry.wordnet_id: entry for entry in classes()}


def read_synsets(path: str | os.PathLike) -> list[str]:
    """Returns the WordNet ids of a file that holds one a line.

    Raises:
      UserError: The file is no text.
    """
    try:
        return pathlib.Path(path).read_text(encoding="ascii").split()
    except UnicodeDecodeError as error:
        raise UserError(f"{os.fspath(path)} holds no synsets, one a line: {error}.") from error


def labels_to_names() -> dict[int, str]:
    """Returns {label: names} for the 1001 labels, the background among them."""
    return {0: BACKGROUND} | {entry.label: entry.names for entry in classes()}
