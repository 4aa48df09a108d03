"""Folders of pictures: classes, splits, CSV files, and what users get wrong."""

import logging
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

from datasets import dataset_factory
from datasets.conversion import convert as conversion
from datasets.conversion.settings import Conversion
from datasets.storage import manifest
from slim_internal.ground.errors import UserError
from tests.datasets.converters.folders import PICTURE, assignments, convert, put


def many(count: int, *classes: str) -> list[str]:
    return [f"{name}/{index:03d}.jpg" for name in classes for index in range(count)]


@pytest.mark.parametrize(("count", "validation"), [(10, 2), (3, 1), (2, 1), (1, 0), (7, 1)])
def test_validation_is_the_same_share_of_every_class(count, validation, tmp_path):
    put(tmp_path / "source", *many(count, "a", "b"))
    convert(tmp_path)
    splits = list(assignments(tmp_path).values())
    for label in (0, 1):
        assert splits.count(("validation", label)) == validation
        assert splits.count(("train", label)) == count - validation


def test_a_dataset_may_be_meant_for_evaluation_only(tmp_path):
    put(tmp_path / "source", *many(5, "a", "b"))
    assert convert(tmp_path, validation_fraction=1.0).manifest.splits == {"validation": 10}


def test_everything_is_for_training_without_a_validation_fraction(tmp_path):
    put(tmp_path / "source", *many(5, "a", "b"))
    assert convert(tmp_path, validation_fraction=0.0).manifest.splits == {"train": 10}


def test_split_depends_on_names_and_seed_and_moves_little(tmp_path):
    names = many(50, "a", "b")
    for folder, order in (("one", names), ("two", names[::-1])):
        put(tmp_path / folder / "source", *order)
        convert(tmp_path / folder)
    first = assignments(tmp_path / "one")
    assert first == assignments(tmp_path / "two")
    put(tmp_path / "other/source", *names)
    convert(tmp_path / "other", seed=1)
    assert first != assignments(tmp_path / "other")
    put(tmp_path / "more/source", *names, "a/new.jpg")
    convert(tmp_path / "more")
    more = assignments(tmp_path / "more")
    assert sum(more[name] != first[name] for name in names) <= 1


def test_shards_hold_a_thousand_or_as_asked(tmp_path):
    put(tmp_path / "source", *many(6, "a", "b"))
    outcome = convert(tmp_path, num_shards=3)
    names = {shard.name for shard in outcome.manifest.shards}
    assert names == {
        f"image_folder_{split}_{index:05d}-of-00003.tfrecord"
        for split in ("train", "validation")
        for index in range(3)
    }


def test_class_is_the_first_folder_however_deep_the_picture(tmp_path):
    put(tmp_path / "source", "b/1.jpg", "b/x/y/2.JPG", "a/3.jpeg", "a/b/4.jpg", "b/.hidden/5.jpg")
    (tmp_path / "source/a/notes.txt").write_text("no picture")
    convert(tmp_path, validation_fraction=0.0)
    labels = {name: label for name, (_, label) in assignments(tmp_path).items()}
    assert labels == {"b/1.jpg": 1, "b/x/y/2.JPG": 1, "a/3.jpeg": 0, "a/b/4.jpg": 0}


def test_linked_folders_are_followed_once(tmp_path):
    put(tmp_path / "elsewhere", "1.jpg", "2.jpg")
    put(tmp_path / "source", "a/3.jpg")
    os.symlink(tmp_path / "elsewhere", tmp_path / "source/b")
    os.symlink(tmp_path / "source/a", tmp_path / "source/a/loop")
    convert(tmp_path, validation_fraction=0.0)
    assert set(assignments(tmp_path)) == {"a/3.jpg", "b/1.jpg", "b/2.jpg"}


def test_a_linked_folder_never_gives_its_name_to_pictures_that_have_another(tmp_path):
    put(tmp_path / "source", "b/1.jpg", "c/2.jpg")
    (tmp_path / "source/a").mkdir()
    os.symlink(tmp_path / "source/b", tmp_path / "source/a/link")
    os.symlink(tmp_path / "source/c", tmp_path / "source/b/link")
    convert(tmp_path, validation_fraction=0.0)
    assert assignments(tmp_path) == {"b/1.jpg": ("train", 0), "c/2.jpg": ("train", 1)}


@pytest.mark.parametrize("stray", [[], ["train/stray.jpg"], ["stray.jpg", "test/stray.jpg"]])
def test_folders_that_are_splits(stray, tmp_path):
    paths = ["Train/a/1.jpg", "Train/b/2.jpg", "VAL/a/3.jpg", "test/b/x/4.jpg"]
    put(tmp_path / "source", *paths, *stray)
    convert(tmp_path)
    assert assignments(tmp_path) == {
        "Train/a/1.jpg": ("train", 0),
        "Train/b/2.jpg": ("train", 1),
        "VAL/a/3.jpg": ("validation", 0),
        "test/b/x/4.jpg": ("test", 1),
    }


def test_classes_called_train_and_test(tmp_path):
    put(tmp_path / "source", "train/1.jpg", "test/2.jpg")
    convert(tmp_path, validation_fraction=0.0)
    assert assignments(tmp_path) == {"train/1.jpg": ("train", 1), "test/2.jpg": ("train", 0)}


def with_csv(folder: pathlib.Path, text: str) -> str:
    put(folder / "source", "x/1.jpg", "x/2.jpg", "3.jpg", "x/4, old.jpg")
    (folder / "labels.csv").write_text(text, encoding="utf-8")
    return os.fspath(folder / "labels.csv")


@pytest.mark.parametrize("header", ["", "path,label,split\n", "\ufeffpath,label,split\n"])
def test_csv_says_label_and_split(header, tmp_path):
    lines = 'x/1.jpg,dog,train\nx/2.jpg,cat,val\n3.jpg,dog,test\n"x/4, old.jpg",cat,\n'
    convert(tmp_path, labels_csv=with_csv(tmp_path, header + lines))
    assert assignments(tmp_path) == {
        "x/1.jpg": ("train", 1),
        "x/2.jpg": ("validation", 0),
        "3.jpg": ("test", 1),
        "x/4, old.jpg": ("train", 0),
    }
    assert (tmp_path / "set/labels.txt").read_text() == "0:cat\n1:dog\n"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("x/9.jpg,dog,train\n", "line 1: there is no file '.*x/9.jpg'"),
        ("x/1.jpg,dog\nx/1.jpg,cat\n", "line 2: 'x/1.jpg' is listed twice"),
        ("x/1.jpg,dog\nx/../x/./1.jpg,cat\n", "line 2: 'x/1.jpg' is listed twice"),
        ("x/1.jpg;dog;train\n", "line 1: the columns are separated by semicolons; use commas"),
        ("x/1.jpg\tdog\ttrain\n", "line 1: the columns are separated by tabs; use commas"),
        ("", "labels.csv is empty"),
        ("\n \n", "labels.csv is empty"),
        ("path,label,split\n", "labels.csv lists no images"),
        ("x/1.jpg\n", "line 1: expected path,label,split. Found: x/1.jpg"),
        ("x/1.jpg,dog,trian\n", "Unknown split 'trian'. Did you mean 'train'"),
        ("x/1.jpg,dog\nx/2.jpg,dog\n", "holds only one class, 'dog'"),
        ("x/1.jpg,dog\nx/2.jpg,NaN\n", "line 2: the label is 'NaN', which programs write where"),
        ("x/1.jpg,dog\nx/2.jpg,<NA>,val\n", "line 2: the label is '<NA>', which programs write"),
        ("x/1.jpg,dog\nx/2.jpg,\n", "line 2: expected path,label,split. Found: x/2.jpg,"),
        ("x/1.jpg,dog\nx/2.jpg, \t ,val\n", "line 2: expected path,label,split"),
        ("x/1.jpg,dog,nan\nx/2.jpg,cat\n", "Unknown split 'nan'"),
        ("x/1.jpg,dog\nx/2.jpg,null\n", "line 2: the label is 'null', which programs write"),
        ("file,class\nx/1.jpg,dog\n", "no file '.*/file'. A header must begin with the column 'p"),
        ("x/1.jpg,dog\n{source}/x/1.jpg,cat\n", "line 2: 'x/1.jpg' is listed twice"),
        ("x/1.jpg,dog\n../source/x/1.jpg,cat\n", "line 2: '../source/x/1.jpg' is listed twice"),
        (f"x/{'y' * 5000}.jpg,dog\n", "line 1: there is no file '.*yyy...yyy"),
        ('"x/1.jpg,dog\nx/2.jpg,cat\n', r"Found: x/1.jpg,dog\\nx/2.jpg,cat\\n\.$"),
        ("path,label\n , \n\n", "labels.csv lists no images"),
        ("x/1.jpg,do\0g\nx/2.jpg,cat\n", "has a null character"),
        ('x/1.jpg,"do\ng"\nx/2.jpg,cat\n', "has a line break"),
    ],
)
def test_csv_with_a_mistake(lines, message, tmp_path):
    lines = lines.replace("{source}", os.fspath(tmp_path / "source"))
    with pytest.raises(UserError, match=message):
        convert(tmp_path, labels_csv=with_csv(tmp_path, lines))
    assert not (tmp_path / "set/manifest.json").exists()


ODD_CLASSES = {
    "floats": (["0.0", "1.0"], "Class names are numbers with a point, such as '0.0'"),
    "equal numbers": (["1", "1.0"], "The classes '1' and '1.0' are taken for two"),
    "upper case": (["Cat", "cat"], "The classes 'Cat' and 'cat' are taken for two"),
    "blanks": (["black cat", "black_cat"], "'black cat' and 'black_cat' are taken for two"),
    "sound": (["cat", "1", "dog 2.0"], ""),
    "integers": (["0", "1", "2"], ""),
}


@pytest.mark.parametrize(("names", "message"), ODD_CLASSES.values(), ids=ODD_CLASSES)
def test_classes_that_are_hardly_meant_are_said(names, message, tmp_path, caplog):
    put(tmp_path / "source", *(f"{name}/{n}.jpg" for name in names for n in range(5)))
    convert(tmp_path)
    assert message in caplog.text
    assert bool(caplog.text) == bool(message)


EMPTY_SPLITS = {
    "one image of each class": (["a/1.jpg", "b/1.jpg"], {"train": 2}, "no validation split"),
    "an empty folder": (
        ["train/a/1.jpg", "train/b/1.jpg", "val/a/"],
        {"train": 2},
        "folders without an image; the first is 'val'",
    ),
    "only bad images": (
        ["train/a/1.jpg", "train/b/1.jpg", "test/a/bad.jpg"],
        {"test": 0, "train": 2},
        "The test split is empty: none of its images (1) can be used",
    ),
    "a class of bad images": (
        ["train/a/1.jpg", "train/b/bad.jpg", "test/a/2.jpg", "test/b/2.jpg"],
        {"test": 2, "train": 1},
        "Classes of the train split of which no image can be used: 1; the first is 'b'",
    ),
    "nothing but test": (
        ["test/a/1.jpg", "test/b/1.jpg"],
        {"test": 2},
        "Classes of the test split without an image for training: 2",
    ),
    "nothing but validation": (
        ["val/a/1.jpg", "val/b/1.jpg"],
        {"validation": 2},
        "Classes of the validation split without an image for training: 2",
    ),
}


@pytest.mark.parametrize(("paths", "sizes", "message"), EMPTY_SPLITS.values(), ids=EMPTY_SPLITS)
def test_a_split_that_is_empty_is_said(paths, sizes, message, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    put(tmp_path / "source", *(path for path in paths if not path.endswith("/")))
    for path in paths:
        if path.endswith("/"):
            (tmp_path / "source" / path).mkdir(parents=True)
        elif "bad" in path:
            (tmp_path / "source" / path).write_bytes(b"bad")
    outcome = convert(tmp_path, on_bad_image="skip")
    assert outcome.manifest.splits == sizes
    assert message in caplog.text
    for split, size in sizes.items():
        dataset = dataset_factory.get_dataset("image_folder", split, os.fspath(tmp_path / "set"))
        assert dataset.num_samples == size


def test_a_set_of_no_image_at_all_is_an_error(tmp_path):
    for name in ("a", "b"):
        (tmp_path / "source" / name).mkdir(parents=True)
        (tmp_path / "source" / name / "1.jpg").write_bytes(b"bad")
    with pytest.raises(UserError, match=r"None of the images can be used.*bad_images\.csv"):
        convert(tmp_path, on_bad_image="skip")
    assert not (tmp_path / "set/manifest.json").exists()


ROWS = "path,label\nx/1.jpg,dog\nx/2.jpg,cat\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\x00", "is no CSV in UTF-8"),
        (ROWS.encode("utf-16"), "is text in UTF-16; save it as CSV in UTF-8"),
        (ROWS.encode("utf-16-le"), "is text in UTF-16; save it as CSV in UTF-8"),
        (ROWS.encode("utf-16-be"), "is text in UTF-16; save it as CSV in UTF-8"),
        (ROWS.encode("utf-32-be"), "is no text"),
        (b"PK\3\4" + bytes(100), "is no text"),
        (None, "cannot be used: it is not a regular file but a device or pipe"),
    ],
)
def test_csv_that_is_no_text(content, message, tmp_path):
    put(tmp_path / "source", "x/1.jpg", "x/2.jpg")
    path = tmp_path / "labels.csv"
    if content is None:
        os.mkfifo(path)
    else:
        path.write_bytes(content)
    with pytest.raises(UserError, match=message):
        convert(tmp_path, labels_csv=os.fspath(path))


def test_csv_with_blanks(tmp_path):
    """Before and between the lines, and after the commas."""
    lines = ' \n\npath, label, split\n,,\nx/1.jpg, "dog", train\n\nx/2.jpg, ca\u2028t, val\n'
    convert(tmp_path, labels_csv=with_csv(tmp_path, lines))
    assert assignments(tmp_path) == {"x/1.jpg": ("train", 1), "x/2.jpg": ("validation", 0)}


def test_memory_does_not_grow_with_the_number_of_pictures(tmp_path):
    """From a thousand to ten thousand pictures, by less than 50 MiB."""
    peaks = []
    for count in (1_000, 10_000):
        for index in range(count):
            path = tmp_path / f"source{count}/class{index % 2}/{index}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(PICTURE)
        program = (
            "import resource\n"
            "from datasets.conversion import convert\n"
            "from datasets.conversion.settings import Conversion\n"
            "convert.convert(Conversion(dataset_name='image_folder', num_workers=1,\n"
            f"    dataset_dir={os.fspath(tmp_path / f'set{count}')!r},\n"
            f"    source={os.fspath(tmp_path / f'source{count}')!r}))\n"
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
        )
        folders = [os.fspath(pathlib.Path(__file__).parents[3] / "slim"), *sys.path]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(folders)}
        output = subprocess.check_output([sys.executable, "-c", program], env=environment)
        peaks.append(int(output))
    assert peaks[1] - peaks[0] < 50 * 1024  # Kilobytes.


def test_set_carries_its_own_names_and_counts(tmp_path):
    put(tmp_path / "source", *many(10, "ça va", "b: c", "d"))
    convert(tmp_path)
    dataset = dataset_factory.get_dataset("image_folder", "train", os.fspath(tmp_path / "set"))
    assert (dataset.num_samples, dataset.num_classes) == (24, 3)
    assert dataset.labels_to_names == {0: "b: c", 1: "d", 2: "ça va"}
    with pytest.raises(UserError, match="Allowed: train, validation"):
        dataset_factory.get_dataset("image_folder", "test", os.fspath(tmp_path / "set"))


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        ([], "holds no images in class folders"),
        (["1.jpg", "2.jpg"], "holds no images in class folders"),
        (["photos/1.jpg", "photos/b/2.jpg"], "only one class, 'photos'.*the folder above"),
        (["a\nb/1.jpg", "c/2.jpg"], "has a line break"),
    ],
)
def test_folders_that_cannot_be_used(paths, message, tmp_path):
    (tmp_path / "source").mkdir()
    put(tmp_path / "source", *paths)
    with pytest.raises(UserError, match=message):
        convert(tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"source": None}, "needs --source"),
        ({"source": "/absent"}, "Received: '/absent'"),
        (
            {"on_bad_image": "ignore"},
            "--on_bad_image must be one of error, skip, repair; got 'ignore'",
        ),
        ({"validation_fraction": 1.1}, "--validation_fraction must be"),
        ({"num_shards": 0}, "--num_shards must be at least 1; got 0"),
        ({"max_bad_images": -1}, "--max_bad_images must be at least 0; got -1"),
        ({"num_workers": -1}, "--num_workers must be at least 0; got -1"),
        ({"seed": -1}, "--seed must be at least 0 and at most 4294967295; got -1"),
        ({"dataset_name": "digits"}, "--source does not apply to digits, which accepts: --seed"),
        ({"coco_dirname": "x"}, "--coco_dirname does not apply to image_folder"),
        ({"dataset_dir": None}, "--dataset_dir is required: folder with the converted dataset"),
        ({"dataset_name": "imagenet"}, "has its own program"),
    ],
)
def test_options_that_cannot_be_used(options, message, tmp_path):
    given = {
        "dataset_name": "image_folder",
        "source": os.fspath(put(tmp_path / "source", "a/1.jpg", "b/2.jpg")),
        "dataset_dir": os.fspath(tmp_path / "set"),
    }
    with pytest.raises(UserError, match=message):
        conversion.convert(Conversion(**(given | options)))
    assert not (tmp_path / "set").exists()


def test_writes_into_no_folder_with_other_data(tmp_path):
    put(tmp_path / "source", "a/1.jpg", "b/2.jpg")
    put(tmp_path / "set", "thesis.docx")
    with pytest.raises(UserError, match=r"holds other data \(thesis\.docx\)"):
        convert(tmp_path)
    with pytest.raises(UserError, match=r"holds other data \(a, b\)"):
        convert(tmp_path, dataset_dir=os.fspath(tmp_path / "source"))
    assert [path.name for path in (tmp_path / "set").iterdir()] == ["thesis.docx"]


def test_changed_pictures_are_not_taken_for_the_converted_ones(tmp_path):
    put(tmp_path / "source", *many(4, "a", "b"))
    before = convert(tmp_path)
    assert convert(tmp_path).written == ()
    put(tmp_path / "source", "a/new.jpg")
    with pytest.raises(UserError, match="made from other files or with other options"):
        convert(tmp_path)
    (tmp_path / "source/a/new.jpg").unlink()
    shutil.move(tmp_path / "source", tmp_path / "moved")
    assert convert(tmp_path, source=os.fspath(tmp_path / "moved")).manifest == before.manifest


LEFT_OUT = {
    # Paths beside a/1.jpg and b/2.jpg -> what is said of them.
    "outside the class folders": (
        ["z.jpg", "loose.jpg"],
        "Skipped 2 images in no class folder; the first is 'loose.jpg'",
    ),
    "of another kind": (
        ["a/3.heic", "c/without_suffix"],
        "Skipped 2 files without an image extension (.jpg, .jpeg, .png, .gif, .bmp, .webp); the "
        "first is 'a/3.heic'",
    ),
    "of formats that are not read": (
        ["a/3.heic", "a/4.HEIC", "b/5.tif", "b/6.psd", "a/7.svg", "a/8.CR2", "b/notes.txt"],
        "Images of these formats are not read: 1 .cr2, 2 .heic, 1 .psd, 1 .svg, 1 .tif. Convert",
    ),
    "a class without pictures": (
        ["c/notes.txt"],
        "Skipped 1 folders without an image; the first is 'c'",
    ),
}


@pytest.mark.parametrize(("paths", "message"), LEFT_OUT.values(), ids=LEFT_OUT)
def test_says_what_is_left_out(paths, message, tmp_path, caplog):
    put(tmp_path / "source", "a/1.jpg", "b/2.jpg", *paths)
    convert(tmp_path, validation_fraction=0.0)
    assert message in caplog.text
    assert set(assignments(tmp_path)) == {"a/1.jpg", "b/2.jpg"}


def test_the_data_set_may_lie_in_the_folder_of_pictures(tmp_path, caplog):
    put(tmp_path / "source", *many(4, "a", "b"))
    inside = os.fspath(tmp_path / "source/set")
    first = convert(tmp_path, dataset_dir=inside)
    assert convert(tmp_path, dataset_dir=inside).written == ()
    assert first.manifest.class_names == ("a", "b")
    assert not caplog.text


def test_nothing_is_said_of_hidden_files(tmp_path, caplog):
    put(tmp_path / "source", "a/1.jpg", "b/2.jpg", ".DS_Store", ".git/x/y", "__MACOSX/a/1.jpg")
    convert(tmp_path)
    assert not caplog.text


def test_content_tells_whether_a_picture_has_changed(tmp_path):
    put(tmp_path / "source", *many(4, "a", "b"))
    convert(tmp_path)
    other = PICTURE[:-3] + bytes([PICTURE[-3] ^ 1]) + PICTURE[-2:]
    (tmp_path / "source/a/000.jpg").write_bytes(other)  # Of the same size.
    with pytest.raises(UserError, match="made from other files or with other options"):
        convert(tmp_path)


def test_a_broken_link_is_a_bad_picture(tmp_path):
    put(tmp_path / "source", *many(4, "a", "b"))
    os.symlink("/nowhere/1.jpg", tmp_path / "source/a/broken.jpg")
    with pytest.raises(UserError, match=r"a/broken\.jpg' cannot be used: it cannot be read: No su"):
        convert(tmp_path)
    convert(tmp_path, on_bad_image="skip")
    assert (
        "a/broken.jpg,it cannot be read: No such file or directory,skipped"
        in (tmp_path / "set/bad_images.csv").read_text()
    )
    assert set(assignments(tmp_path)) == set(many(4, "a", "b"))


def test_files_that_are_no_images_are_counted_by_extension(tmp_path):
    put(tmp_path / "source", *many(2, "a", "b"), "a/x.HEIC", "b/y.heic", "b/notes.txt", "b/LICENSE")
    assert convert(tmp_path).manifest.left_out == {"": 1, ".heic": 2, ".txt": 1}
    assert manifest.read(tmp_path / "set").left_out == {"": 1, ".heic": 2, ".txt": 1}
