"""The pictures that are shown: which ones, and how they look with their boxes."""

import contextlib
import dataclasses
import itertools
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageDraw

from datasets.storage import tfrecords
from slim_internal.ground.images import pixels
from slim_internal.programs.inspection import examples
from slim_internal.programs.inspection.survey import Place, Survey

# Height and width in pixels of the square that a picture is fitted into.
TILE = 192
# With this many classes or fewer, every class gets a row of its own.
_FEW_CLASSES = 16
_COLUMNS = 8
_BOX_COLORS = ("#ff3b30", "#ffd60a", "#0a84ff", "#34c759", "#ff2d92")


@dataclasses.dataclass(frozen=True)
class Sample:
    """A picture to be shown.

    Attributes:
      place: Where it stands.
      split: Its split.
      label: Its label.
      class_name: Name of its class, or the label as text.
      size: Width and height in pixels.
      num_boxes: Number of its boxes.
      tile: The picture with its boxes, at most `TILE` pixels wide and high.
    """

    place: Place
    split: str
    label: int
    class_name: str
    size: tuple[int, int]
    num_boxes: int
    tile: Image.Image


def choose(survey: Survey, count: int) -> list[list[Sample]]:
    """Returns about `count` samples in rows: a class per row if there are few classes.

    If there are more classes than that, every n-th is represented by one picture.
    """
    by_label: dict[int, list[tuple[str, list[Place]]]] = {}
    for (label, split), places in sorted(survey.proposals.items()):
        by_label.setdefault(label, []).append((split, places))
    labels = sorted(by_label)
    if not labels or count < 1:
        return []
    spread = np.linspace(0, len(labels) - 1, min(count, len(labels))).astype(int)
    per_class = max(count // len(labels), 1)
    by_class = [
        [(labels[i], *choice) for choice in _mixed(by_label[labels[i]])[:per_class]] for i in spread
    ]
    if len(labels) <= _FEW_CLASSES:
        rows = [of_one_class[:_COLUMNS] for of_one_class in by_class]
    else:
        picked = list(itertools.chain.from_iterable(by_class))
        rows = [picked[i : i + _COLUMNS] for i in range(0, len(picked), _COLUMNS)]
    return _load(survey, rows)


def _mixed(splits: list[tuple[str, list[Place]]]) -> list[tuple[str, Place]]:
    """Returns the proposals of all splits, taking turns."""
    columns = [[(split, place) for place in places] for split, places in splits]
    turns = itertools.chain.from_iterable(itertools.zip_longest(*columns))
    return [choice for choice in turns if choice is not None]


def _load(survey: Survey, rows: list[list[tuple[int, str, Place]]]) -> list[list[Sample]]:
    """Reads the chosen records; a file that holds several of them is read once."""
    paths = {file.name: file.path for file in survey.data.files}
    wanted: dict[str, set[int]] = {}
    for _, _, place in itertools.chain.from_iterable(rows):
        wanted.setdefault(place.file, set()).add(place.record)
    found = {}
    for name, numbers in wanted.items():
        records = itertools.islice(tfrecords.read_records(paths[name]), max(numbers) + 1)
        for number, record in enumerate(records):
            if number in numbers:
                found[Place(name, number)] = examples.parse(record)
    loaded = [
        [sample for choice in row for sample in _samples(survey, *choice, found[choice[-1]])]
        for row in rows
    ]
    return [row for row in loaded if row]


def _samples(
    survey: Survey, label: int, split: str, place: Place, example: examples.Example
) -> Iterator[Sample]:
    """Yields the sample, or nothing if the picture has damage that its header does not show."""
    with (
        contextlib.suppress(examples.DamageError),
        examples.open_picture(example.encoded) as picture,
    ):
        yield Sample(
            place=place,
            split=split,
            label=label,
            class_name=survey.class_names.get(label, f"label {label}"),
            size=picture.size,
            num_boxes=len(example.boxes),
            tile=draw(picture, example.boxes),
        )


def draw(picture: Image.Image, boxes: tuple[examples.Box, ...], side: int = TILE) -> Image.Image:
    """Returns a picture fitted into a square of `side` pixels, with its boxes.

    Small pictures are enlarged by a whole number, so that their pixels stay pixels.
    """
    scale = side / max(picture.size)
    enlarge = scale >= 1
    if enlarge:
        scale = int(scale)
    width, height = (max(1, round(length * scale)) for length in picture.size)
    method = Image.Resampling.NEAREST if enlarge else Image.Resampling.LANCZOS
    tile = pixels.to_rgb(picture).resize((width, height), method)
    pen = ImageDraw.Draw(tile)
    for (xmin, ymin, xmax, ymax), color in zip(boxes, itertools.cycle(_BOX_COLORS)):
        left, right = sorted((xmin * (width - 1), xmax * (width - 1)))
        top, bottom = sorted((ymin * (height - 1), ymax * (height - 1)))
        # A dark line around the bright one keeps the box visible on every ground.
        pen.rectangle((left - 1, top - 1, right + 1, bottom + 1), outline="#000000")
        pen.rectangle((left, top, right, bottom), outline=color, width=2)
    return tile
