"""What is said of a dataset that is no damage."""

import collections

import pytest

from nets import nets_factory
from slim_internal.programs.inspection import remarks, survey
from slim_internal.programs.inspection.dataset_files import DatasetFiles


def found(splits=None, names=(), sizes=(), **files) -> survey.Survey:
    tallies = {
        split: survey.Tally(labels=collections.Counter(labels))
        for split, labels in (splits or {"train": []}).items()
    }
    tallies["train"].sizes.update(sizes)
    duplicates = survey.Duplicates(0, 0, 0, ())
    return survey.Survey(
        DatasetFiles("a", (), {}, **files), dict(enumerate(names)), tallies, (), duplicates, {}
    )


REMARKS = {
    "nothing": (found({"train": [0, 1], "test": [1, 0]}, ["a", "b"]), []),
    "of_the_files": (found(remarks=("odd",)), ["odd"]),
    "left_out": (
        found(left_out={".heic": 1200, "": 3, ".txt": 3}),
        [
            "Skipped 1,206 files without an image extension: 1,200 .heic, 3 without extension, "
            "3 .txt."
        ],
    ),
    "missing_class": (
        found({"train": [0, 1], "test": [1]}, ["cat", "dog"]),
        ["1 class has no image in the split test: cat."],
    ),
    "many_missing_classes": (
        found({"train": range(9), "validation": [8]}),
        ["8 classes have no image in the split validation: 0, 1, 2, 3, 4, ...."],
    ),
    "a_split_without_labels": (found({"train": [0, 1], "test": []}), []),
    "numbers_as_text": (
        found(names=["0", "1", "10", "2"]),
        ["The class names are numbers in the order of text: label 3 is the class '2', after '10'."],
    ),
    "numbers_in_order": (found(names=["0", "1", "2", "10"]), []),
    "numbers_with_zeros": (found(names=["00", "01", "02", "10"]), []),
    "names": (found(names=["b10", "b2"]), []),
}


@pytest.mark.parametrize(("survey_", "sentences"), REMARKS.values(), ids=REMARKS)
def test_find(survey_, sentences):
    assert remarks.find(survey_) == sentences


def test_images_that_are_cropped_are_counted():
    of_sizes = found(sizes={(28, 28): 1, (30, 20): 2, (20, 33): 4})
    assert remarks.cropped(of_sizes) == {"lenet": 6, "cifarnet": 4}
    assert remarks.cropping(of_sizes) == (
        "lenet would crop 6 images to the middle 28 x 28 pixels. "
        "cifarnet would crop 4 images to the middle 32 x 32 pixels."
    )
    assert remarks.cropping(found(sizes={(28, 28): 5})) == ""


def test_networks_that_crop_have_the_sizes_of_their_records():
    for name, side in remarks.CROPPING.items():
        network = nets_factory.get_network(name)
        assert network.preprocessing == name
        assert network.default_image_size == side
