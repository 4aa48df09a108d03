"""Finding the files of a dataset."""

import pytest

from datasets.storage import journal
from slim_internal.ground import errors
from slim_internal.programs.inspection import dataset_files
from tests.slim_internal.programs.inspection import sets

NAMES = {
    # Names of files in a folder without manifest -> (split of each, missing files).
    "imagenet": (
        ["train-00000-of-00002", "train-00001-of-00002", "validation-00000-of-00001"],
        ["train", "train", "validation"],
        [],
    ),
    "flowers": (
        ["flowers_train_00000-of-00002.tfrecord", "flowers_validation_00001-of-00002.tfrecord"],
        ["train", "validation"],
        ["flowers_train_00001-of-00002.tfrecord", "flowers_validation_00000-of-00002.tfrecord"],
    ),
    "cifar10": (["cifar10_test.tfrecord", "cifar10_train.tfrecord"], ["test", "train"], []),
    "visualwakewords": (
        ["train.record-00000-of-00001", "val.record-00000-of-00001"],
        ["train", "val"],
        [],
    ),
    "own_names": (["holdout-0-of-2", "part.tfrecords"], ["holdout", "part"], ["holdout-1-of-2"]),
}


@pytest.mark.parametrize(("names", "splits", "missing"), NAMES.values(), ids=NAMES)
def test_finds_files_by_name(tmp_path, names, splits, missing):
    for name in [*names, "notes.txt", "README", ".train-00000-of-00002.77.partial"]:
        (tmp_path / name).touch()
    found = dataset_files.find(str(tmp_path))
    assert [file.name for file in found.files] == names
    assert [file.split for file in found.files] == splits
    assert sorted(found.missing) == missing
    assert found.name == tmp_path.name
    assert "There is no manifest.json" in found.remarks[0]


def test_a_dataset_that_was_written_twice_is_said_to_be_one(tmp_path):
    for name in ("train-00000-of-00001", "train-00000-of-00002", "train-00001-of-00002"):
        (tmp_path / name).touch()
    found = dataset_files.find(str(tmp_path))
    assert found.missing == ()
    assert "Files of 1 and 2 parts lie side by side" in found.remarks[1]


def test_the_manifest_has_the_last_word(tmp_path):
    good = sets.record(sets.image(0), 1)
    sets.write(tmp_path, {"train-a": [good, good], "odd-b": [good]})
    (tmp_path / "odd-b").unlink()
    (tmp_path / "train-00000-of-00001").touch()
    found = dataset_files.find(str(tmp_path))
    assert [(file.name, file.split, file.records) for file in found.files] == [
        ("train-a", "train", 2)
    ]
    assert found.missing == ("odd-b",)
    assert found.class_names == {0: "cat", 1: "dog"}
    assert found.remarks == ()


def test_an_unfinished_conversion_is_said_to_be_one(tmp_path):
    journal.path(tmp_path).touch()
    (tmp_path / "train.tfrecord").touch()
    assert dataset_files.find(str(tmp_path)).remarks == (
        "The conversion of this dataset has not ended.",
    )


@pytest.mark.parametrize(
    ("folder", "message"), [("nowhere", "there is no such folder"), ("", "holds no dataset")]
)
def test_refuses(tmp_path, folder, message):
    with pytest.raises(errors.UserError, match=message):
        dataset_files.find(str(tmp_path / folder))
