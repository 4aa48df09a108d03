"""Which images of a dataset are shown."""

import contextlib
import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from datasets.storage import tfrecords
from slim_internal.parts.reports import stored_example, thumbnail
from slim_internal.parts.reports.stored_example import StoredExample
from slim_internal.parts.reports.thumbnail import Thumbnail
from slim_internal.programs.inspection import wording
from slim_internal.programs.inspection.survey import Place, Survey

# With this many classes or fewer, every class gets a row of its own.
_FEW_CLASSES = 16
_COLUMNS = 8


@dataclasses.dataclass(frozen=True)
class Sample:
    """An image to be shown.

    Attributes:
      place: Where it is stored.
      split: Its split.
      label: Its label.
      shown: The image with its boxes and caption.
    """

    place: Place
    split: str
    label: int
    shown: Thumbnail


def choose(survey: Survey, count: int) -> list[list[Sample]]:
    """Returns about `count` samples in rows: a class per row if there are few classes.

    If there are more classes than that, every n-th is represented by one image.
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
    found = read(survey, [place for _, _, place in itertools.chain.from_iterable(rows)])
    loaded = [
        [sample for choice in row for sample in _samples(survey, *choice, found[choice[-1]])]
        for row in rows
    ]
    return [row for row in loaded if row]


def read(survey: Survey, places: Iterable[Place]) -> dict[Place, StoredExample]:
    """Returns the examples at some places; a file that holds several of them is read once."""
    paths = {file.name: file.path for file in survey.dataset.files}
    wanted: dict[str, set[int]] = {}
    for place in places:
        wanted.setdefault(place.file, set()).add(place.record)
    found = {}
    for name, numbers in wanted.items():
        records = itertools.islice(tfrecords.read_records(paths[name]), max(numbers) + 1)
        for number, record in enumerate(records):
            if number in numbers:
                found[Place(name, number)] = stored_example.parse(record, survey.dataset.layout)
    return found


def repeated(
    survey: Survey, groups: Sequence[Sequence[Place]], per_group: int = 8
) -> list[list[Thumbnail]]:
    """Returns images that are alike, a row for each group, with the names of their files."""
    groups = [group[:per_group] for group in groups]
    found = read(survey, itertools.chain.from_iterable(groups))
    splits = {file.name: file.split for file in survey.dataset.files}
    rows = []
    for group in groups:
        row = []
        for place in group:
            example = found[place]
            class_name = survey.class_names.get(example.label, f"label {example.label}")
            detail = f"{class_name}, {splits[place.file]}"
            with (
                contextlib.suppress(stored_example.DamageError),
                stored_example.open_image(example.encoded) as image,
            ):
                name = example.filename or str(place)
                row.append(thumbnail.make(image, name, detail, str(place)))
        rows.append(row)
    return [row for row in rows if row]


def _samples(
    survey: Survey, label: int, split: str, place: Place, example: StoredExample
) -> Iterator[Sample]:
    """Yields the sample, or nothing if the image has damage that its header does not show."""
    with (
        contextlib.suppress(stored_example.DamageError),
        stored_example.open_image(example.encoded) as image,
    ):
        name = survey.class_names.get(label, f"label {label}")
        detail = wording.sample(split, image.size, len(example.boxes))
        yield Sample(
            place=place,
            split=split,
            label=label,
            shown=thumbnail.make(image, name, detail, str(place), example.boxes),
        )
