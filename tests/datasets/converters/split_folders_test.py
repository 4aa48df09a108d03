"""Folders that are splits, that look like splits, and that are classes."""

import os

import pytest

from datasets.conversion.settings import Conversion
from datasets.converters import split_folders
from slim_internal.ground.errors import UserError
from tests.datasets.converters.folders import assignments, convert, put


def files(*folders: str) -> list[str]:
    return [f"{folder}/{index}.jpg" for folder in folders for index in range(2)]


def config(**options) -> Conversion:
    return Conversion(dataset_name="image_folder", dataset_dir="set", source="mine", **options)


def under(*tops: str) -> list[str]:
    return files(*[f"{top}/{name}" for top in tops for name in ("cat", "dog")])


LOOK_ALIKES = {
    "gerunds": (under("Training", "Testing"), "--splits=test:Testing,train:Training"),
    "with words around": (
        under("train_images", "test_images"),
        "--splits=test:test_images,train:train_images",
    ),
    "nested in themselves": (
        under("seg_train/seg_train", "seg_test/seg_test"),
        "--splits=test:seg_test/seg_test,train:seg_train/seg_train",
    ),
    "dev": (under("train", "dev"), "dev"),
    "evaluation": (under("train", "evaluation"), "evaluation"),
    "predict": (under("train", "predict"), "predict"),
    "copied": (under("train (1)", "test"), "train (1)"),
    "camel case": (under("TrainSet", "TestSet"), "TrainSet"),
    "numbered": (under("train2017", "val2017"), "train2017"),
    "a nested copy beside them": (
        under("train", "val", "test", "chest/train", "chest/val", "chest/test"),
        "'test', 'train', 'val'",
    ),
    "splits in splits": (under("train/train", "test/test"), "looks like a split, not a class"),
    "the same folders in several": (under("first", "second"), "hold the same folders (cat, dog)"),
    "nearly the same folders": (
        [*under("east", "west"), *files("east/owl", "east/yak")],
        "--splits=train:east,validation:west",
    ),
    "the larger one is for training": (
        [*under("a", "b"), *files("b/owl")],
        "--splits=train:b,validation:a",
    ),
    "parts": (
        files("fold_1/a", "fold_1/b", "fold_2/c", "fold_3/a"),
        "--splits=train:fold_1,train:fold_2,validation:fold_3",
    ),
    "in one word": (under("traindata", "testdata"), "--splits=test:testdata,train:traindata"),
    "in two words": (under("train", "hold-out"), "validation:hold-out"),
    "with accents": (
        under("entraînement", "validação"),
        "'--splits=train:entraînement,validation:validação'",
    ),
    "with blanks": (under("Train Images", "Test Images"), "'--splits=test:Test Images,train:Tr"),
    "in a folder of their own": (
        under("data/set/Training", "data/set/Testing"),
        "--splits=test:data/set/Testing,train:data/set/Training",
    ),
    "beside annotations": (
        [*under("images/train", "images/val"), *files("masks/train/x")],
        "--splits=train:images/train,validation:images/val, which leaves out 'masks'",
    ),
    "in each class": (
        files("cat/train", "cat/test", "dog/train", "dog/test"),
        "holds splits within a class: 'cat/test', 'cat/train'",
    ),
    "in the names of classes": (
        files("cat_train", "cat_test", "trainB", "testB"),
        "look like splits of classes by their names: 'cat_test', 'cat_train', 'testB', 'trainB'",
    ),
}


@pytest.mark.parametrize(("paths", "message"), LOOK_ALIKES.values(), ids=LOOK_ALIKES)
def test_what_looks_like_a_split_is_nobodys_guess(paths, message):
    with pytest.raises(UserError) as caught:
        split_folders.roots(paths, config())
    assert message in str(caught.value)
    assert "--folders_are_classes" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert split_folders.roots(paths, config(folders_are_classes=True)) == {"": ""}


CLASSES = {
    "flat": files("cat", "dog"),
    "deep": files("cat/young/grey", "dog/old"),
    "the same folder in each": files("cat/1", "dog/1"),
    "images beside the same folders": [*under("cat", "dog"), *files("cat", "dog")],
    "flat ones called like splits": files("train", "test"),
    "a class called train among others": files("train", "bus/front", "bus/back", "tram"),
    "vehicles": files("train", "plane", "car"),
    "a folder called train in one of several": files("cat", "dog", "toys/train"),
    "two of the same folders": files("cat/a", "cat/b", "cat/c", "dog/a", "dog/d", "dog/e"),
    "of which one holds folders": files("test tubes", "trainers", "flasks/a", "flasks/b"),
    "words within words": files("trainers/a", "restraint/b", "validator/c", "contest/d"),
}


@pytest.mark.parametrize("paths", CLASSES.values(), ids=CLASSES)
def test_classes_are_classes(paths):
    assert split_folders.roots(paths, config()) == {"": ""}


def test_splits_are_where_the_user_says(tmp_path):
    put(tmp_path / "source", *under("a/Training", "Testing"), "Testing/owl/1.jpg", "b/1.jpg")
    convert(tmp_path, splits="train:a/Training, test:Testing")
    found = assignments(tmp_path)
    assert found["a/Training/cat/0.jpg"] == ("train", 0)
    assert found["Testing/dog/1.jpg"] == ("test", 1)
    assert found["Testing/owl/1.jpg"] == ("test", 2)
    assert len(found) == 9


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"splits": "train"}, "--splits must be like train:FOLDER,test:FOLDER; got 'train'"),
        ({"splits": "train:"}, "--splits must be like train:FOLDER"),
        ({"splits": "trian:Training"}, "Unknown split in --splits 'trian'. Did you mean 'train'"),
        ({"splits": "train:Trainig"}, "mine has no folder 'Trainig' with images"),
        ({"splits": "train:Training,test:Training"}, "names 'Training' twice"),
        ({"splits": "train:Training,test:Training/cat"}, "or a folder within it"),
        ({"splits": "train:Training", "folders_are_classes": True}, "contradict each other"),
    ],
)
def test_mistakes_in_splits(options, message):
    with pytest.raises(UserError) as caught:
        split_folders.roots(under("Training", "Testing"), config(**options))
    assert message in str(caught.value)


SAID = {
    "flat ones called like splits": (files("train", "test"), "'test', 'train' are named like spl"),
    "numbers": (files("1", "2", "10"), "'10' comes before '2'. Names of equal length ('02')"),
    "class of one split": (
        [*under("train", "test"), *files("train/owl")],
        "Classes without an image in the test split: 1; the first is 'owl'",
    ),
    "class that is never trained": (
        [*under("train", "test"), *files("test/owl")],
        "Classes of the test split without an image for training: 1; the first is 'owl'",
    ),
}


@pytest.mark.parametrize(("paths", "message"), SAID.values(), ids=SAID)
def test_odd_classes_are_said(paths, message, tmp_path, caplog):
    put(tmp_path / "source", *paths)
    convert(tmp_path)
    assert message in caplog.text


def test_ordinary_classes_are_not_said(tmp_path, caplog):
    put(tmp_path / "source", *under("train", "test"), *files("train/01", "test/01", "train/10"))
    put(tmp_path / "source", *files("test/10"))
    convert(tmp_path)
    assert not caplog.text
    assert os.path.exists(tmp_path / "set/manifest.json")
