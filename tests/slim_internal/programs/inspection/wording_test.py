"""Sentences and numbers of a report."""

import collections

import pytest

from slim_internal.programs.inspection import survey, wording
from slim_internal.programs.inspection.dataset_files import DatasetFiles


@pytest.mark.parametrize(
    ("counts", "num_classes", "words"),
    [
        ({0: 40, 1: 40}, 2, "40 images per class."),
        ({0: 1, 1: 1000}, 3, "1 to 1,000 images per class; 1 class without an image."),
        ({0: 1}, 3, "1 image per class; 2 classes without an image."),
        ({}, 0, "0 images per class."),
    ],
)
def test_per_class(counts, num_classes, words):
    assert wording.per_class(collections.Counter(counts), num_classes) == words


def test_spread_counts_images_not_sizes():
    sizes = collections.Counter({(10, 5): 1, (20, 6): 1, (30, 7): 5})
    assert wording.spread(sizes, 0) == wording.Spread(10, 30, 30)
    assert wording.spread(sizes, 1) == wording.Spread(5, 7, 7)


HISTOGRAMS = {
    "one_size": ({(8, 8): 3}, [("8", 3)]),
    "few_sizes": ({(8, 8): 3, (9, 1): 2, (1, 11): 1}, [("8", 3), ("9", 2), ("10", 0), ("11", 1)]),
    "range": (
        {(n, 1): 1 for n in range(100, 200)},
        [(f"{n} to {n + 9}", 10) for n in range(100, 190, 10)],
    ),
    "one_giant": (
        {(50, 1): 500, (60, 1): 499, (5000, 1): 1},
        [("50", 500), *((f"{n}", 0) for n in range(51, 60)), ("60", 499), ("61 to 5000", 1)],
    ),
}


@pytest.mark.parametrize(("sizes", "bins"), HISTOGRAMS.values(), ids=HISTOGRAMS)
def test_histogram(sizes, bins):
    found = wording.histogram(collections.Counter(sizes))
    assert found[: len(bins)] == bins
    assert sum(count for _, count in found) == sum(sizes.values())
    assert len(found) <= 13


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ((0, 0, 0), "No image occurs twice."),
        ((1, 0, 0), "Equal byte for byte: 1 image is in more than one split."),
        (
            (2, 1, 3),
            "Equal byte for byte: 2 images are in more than one split; 1 further copy of "
            "images inside a split; 3 images have copies with another label.",
        ),
    ],
)
def test_duplicates(numbers, words):
    groups = ((survey.Place("a", 0), survey.Place("a", 1)),) if any(numbers) else ()
    found = survey.Survey(
        DatasetFiles("a", (), {}), {}, {}, (), survey.Duplicates(*numbers, groups), {}
    )
    assert wording.duplicates(found) == words
