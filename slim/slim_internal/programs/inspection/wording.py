"""Sentences and numbers that the terminal, the page and the contact sheet share."""

import collections
import dataclasses

import numpy as np

from slim_internal.parts.reports.phrases import count
from slim_internal.programs.inspection.survey import Survey

# Widths of the ranges of a histogram in pixels, and how many of them there may be.
_STEPS = tuple(digit * 10**power for power in range(7) for digit in (1, 2, 5))
_MAX_BINS = 12


@dataclasses.dataclass(frozen=True)
class Spread:
    """How lengths in pixels are distributed.

    Attributes:
      minimum: The smallest.
      median: As many are smaller as are larger.
      maximum: The largest.
    """

    minimum: int
    median: int
    maximum: int


def contents(survey: Survey) -> str:
    """Says how much a dataset holds."""
    splits = ", ".join(f"{tally.records:,} {split}" for split, tally in survey.splits.items())
    classes = count(len(survey.total.labels), "class", "classes")
    return f"{count(survey.total.records, 'image')} of {classes} ({splits})"


def per_class(labels: collections.Counter, num_classes: int) -> str:
    """Says how evenly images are spread over classes."""
    minimum, maximum = min(labels.values(), default=0), max(labels.values(), default=0)
    images = count(maximum, "image") if minimum == maximum else f"{minimum:,} to {maximum:,} images"
    empty = num_classes - len(labels)
    rest = f"; {count(empty, 'class', 'classes')} without an image" if empty else ""
    return f"{images} per class{rest}."


def sample(split: str, size: tuple[int, int], num_boxes: int) -> str:
    """Says what the caption of an image holds besides the name of its class."""
    width, height = size
    boxes = f", {count(num_boxes, 'box', 'boxes')}" if num_boxes else ""
    return f"{split}, {width} x {height}{boxes}"


def problems(survey: Survey) -> str:
    """Says how many problems there are."""
    if not survey.problems:
        return "No problems: every record can be read and is consistent."
    return f"{count(len(survey.problems), 'problem')} found."


def duplicates(survey: Survey) -> str:
    """Says how many images occur more than once."""
    found = survey.duplicates
    if not found.groups:
        return "No image occurs twice."
    parts = []
    if found.between_splits:
        verb = "is" if found.between_splits == 1 else "are"
        parts.append(f"{count(found.between_splits, 'image')} {verb} in more than one split")
    if found.within_splits:
        copies = count(found.within_splits, "further copy", "further copies")
        parts.append(f"{copies} of images inside a split")
    if found.other_label:
        verb = "has" if found.other_label == 1 else "have"
        parts.append(f"{count(found.other_label, 'image')} {verb} copies with another label")
    return "Equal byte for byte: " + "; ".join(parts) + "."


def near_duplicates(survey: Survey) -> str:
    """Says how many images of different splits are nearly the same."""
    near = survey.duplicates.near
    if near is None:
        return (
            "Not looked for: images were not decoded (--verify_images=header), or there are too"
            " many of them."
        )
    if not near:
        return "No image of a split is nearly the same as one of another split."
    verb = "is" if len(near) == 1 else "are"
    pairs = count(len(near), "pair")
    return (
        f"{pairs} of images in different splits {verb} nearly the same, so that a split tells less."
    )


def spread(sizes: collections.Counter, axis: int) -> Spread:
    """Returns the distribution of the widths (axis 0) or heights (axis 1) of some images."""
    lengths = _repeated([size[axis] for size in sizes], sizes)
    return Spread(*(int(value) for value in np.quantile(lengths, (0, 0.5, 1), method="lower")))


def histogram(sizes: collections.Counter) -> list[tuple[str, int]]:
    """Returns ranges of the longer side in pixels, each with its number of images.

    The hundredth part that is largest shares the last range if it is much larger.
    """
    lengths = _repeated([max(size) for size in sizes], sizes)
    shortest, long, longest = (int(n) for n in np.quantile(lengths, (0, 0.99, 1), method="higher"))
    step = next(step for step in _STEPS if (long - shortest) / step < _MAX_BINS)
    edges = list(range(shortest // step * step, long + step + 1, step))
    if longest >= edges[-1]:
        edges.append(longest + 1)
    counts, _ = np.histogram(lengths, edges)
    ranges = [
        f"{low}" if low == high else f"{low} to {high}"
        for low, high in zip(edges, (edge - 1 for edge in edges[1:]), strict=False)
    ]
    return list(zip(ranges, counts.tolist(), strict=True))


def _repeated(lengths: list[int], sizes: collections.Counter) -> np.ndarray:
    return np.repeat(np.array(lengths), list(sizes.values()))
