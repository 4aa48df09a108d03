"""TFRecords of other tools: what is read, under which names, and what is refused with its cause."""

import gzip
import json
import logging
import os
import pathlib
import zlib

import numpy as np
import pytest

from datasets import any_tfrecords, dataset_factory, dataset_utils
from datasets.settings import DatasetSettings, TfrecordSettings
from datasets.storage import record_counts, tfds, tfrecords
from slim_internal.ground.compat import tf
from slim_internal.ground.errors import UserError
from slim_internal.parts.input_pipeline import batches
from slim_internal.programs.classification import classifier
from slim_internal.programs.classification.settings import Classification
from slim_internal.programs.evaluation import evaluate
from slim_internal.programs.evaluation.settings import Evaluation
from slim_internal.programs.export import inference_graph
from slim_internal.programs.export.settings import Export
from slim_internal.programs.inspection import inspect
from slim_internal.programs.inspection.settings import Inspection
from slim_internal.programs.training import train
from slim_internal.programs.training.settings import TrainConfig
from tests.datasets import fake_data

NAMES = ("cat", "dog", "emu")
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP")


def image(number: int, image_format: str = "JPEG") -> bytes:
    picture = fake_data.picture(np.random.RandomState(number), 20, 24)
    return fake_data.encoded(picture, image_format)


def feature(value) -> tf.train.Feature:
    values = value if isinstance(value, list) else [value]
    make = {
        bytes: dataset_utils.bytes_list_feature,
        float: dataset_utils.float_list_feature,
        int: dataset_utils.int64_feature,
    }
    return make[type(values[0])](values)


def example(features: dict) -> bytes:
    features = {key: feature(value) for key, value in features.items() if value is not None}
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


def labeled(label, **more) -> bytes:
    number = more.pop("number", 0)
    return example({"image/encoded": image(number), "image/class/label": label} | more)


def write(path: pathlib.Path, records: list[bytes]) -> pathlib.Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    tfrecords.write_shard(path, records)
    return path


def of(labels: list, folder: pathlib.Path) -> str:
    """Writes a file of these labels and returns the pattern."""
    write(folder / "train-0", [labeled(label) for label in labels])
    return f"{folder}/%s-*"


def opened(pattern, split="train", dataset_dir=None, **settings):
    settings = {f"tfrecord_{name}": value for name, value in settings.items()}
    return any_tfrecords.open_split(
        TfrecordSettings(tfrecord_pattern=os.fspath(pattern), **settings), split, dataset_dir
    )


def read(dataset) -> tuple[list[int], np.ndarray]:
    """Returns the labels and the images, made equally large, of all examples."""
    with tf.Graph().as_default(), tf.Session() as session:
        elements = batches.evaluation_batches(
            dataset, lambda picture: tf.image.resize(picture, [8, 8]), batch_size=100
        )
        found = session.run(tf.data.make_one_shot_iterator(elements).get_next())
    return found["label"].tolist(), found["image"]


@pytest.mark.parametrize(
    ("labels", "settings", "classes"),
    [
        ([0, 2, 1], {"num_classes": 3}, [0, 2, 1]),
        ([0.0, 2.0], {"num_classes": 3}, [0, 2]),
        ([b"0", b"2"], {"num_classes": 3}, [0, 2]),
        ([b"dog", b"cat"], {"labels_file": "names.txt"}, [1, 0]),
        ([1, 3, 2], {"num_classes": 3, "label_offset": 1}, [0, 2, 1]),
        ([1.0, 3.0], {"num_classes": 3, "label_offset": 1}, [0, 2]),
        ([b"1", b"3"], {"labels_file": "names.txt", "label_offset": 1}, [0, 2]),
        ([1, 3], {"labels_file": "from_1.txt", "label_offset": 1}, [0, 2]),
        ([1, 3], {"labels_file": "map.pbtxt", "label_offset": 1}, [0, 2]),
        ([1, 3], {"labels_file": "map.pbtxt"}, [1, 3]),
        ([5], {"num_classes": 10}, [5]),
    ],
)
def test_labels_of_any_type_become_classes(tmp_path, monkeypatch, labels, settings, classes):
    monkeypatch.chdir(tmp_path)
    pathlib.Path("names.txt").write_text("".join(f"{name}\n" for name in NAMES))
    pathlib.Path("from_1.txt").write_text("1:cat\n2:dog\n3:emu\n")
    pathlib.Path("map.pbtxt").write_text(
        "".join(f'item {{\n  id: {i}\n  name: "{n}"\n}}\n' for i, n in enumerate(NAMES, start=1))
    )
    dataset = opened(of(labels, tmp_path / "data"), **settings)
    assert read(dataset)[0] == classes
    assert dataset.num_samples == len(labels)
    if "labels_file" in settings:
        shift = 0 if settings.get("label_offset") or settings["labels_file"] == "names.txt" else 1
        assert dataset.num_classes == 3 + shift
        assert tuple(dataset.labels_to_names[i + shift] for i in range(3)) == NAMES


@pytest.mark.parametrize("image_format", FORMATS)
def test_images_of_any_format_are_decoded(tmp_path, image_format):
    record = example({"image/encoded": image(1, image_format), "image/class/label": 1})
    write(tmp_path / "train-0", [record])
    _, images = read(opened(tmp_path / "train-0", num_classes=2))
    pixels = np.asarray(fake_data.picture(np.random.RandomState(1), 20, 24))
    assert abs(images[0].mean(axis=(0, 1)) - pixels.mean(axis=(0, 1))).max() < 12


def test_an_animation_is_its_first_frame(tmp_path):
    first, second = (fake_data.picture(np.random.RandomState(i), 20, 24) for i in (1, 2))
    data = fake_data.encoded(first, "GIF", save_all=True, append_images=[second])
    write(tmp_path / "a", [example({"image/encoded": data, "image/class/label": 0})] * 2)
    assert read(opened(tmp_path / "a", num_classes=1))[1].shape == (2, 8, 8, 3)


def test_keys_of_any_name(tmp_path):
    record = {"photo": image(0), "kind": 2, "called": b"emu", "image/height": 1.5}
    write(tmp_path / "a", [example(record)])
    dataset = opened(
        tmp_path / "a", image_key="photo", label_key="kind", text_key="called", num_classes=3
    )
    assert read(dataset)[0] == [2]
    assert dataset.labels_to_names == {0: "0", 1: "1", 2: "emu"}
    assert dataset.odd_details == {"image/height"}  # No number of pixels.


def described(image_key: str, label_key: str, num_classes: str) -> dict:
    """Returns what TFDS says of its features."""
    types = "tensorflow_datasets.core.features"
    features = {
        image_key: {"pythonClassName": f"{types}.image_feature.Image"},
        label_key: {
            "pythonClassName": f"{types}.class_label_feature.ClassLabel",
            "classLabel": {"numClasses": num_classes},
        },
    }
    return {"featuresDict": {"features": features}}


def write_tfds(folder: pathlib.Path, image_key: str, label_key: str) -> str:
    records = [example({image_key: image(i, "PNG"), label_key: i % 3}) for i in range(5)]
    write(folder / "mine-train.tfrecord-00000-of-00001", records)
    (folder / "features.json").write_text(json.dumps(described(image_key, label_key, "3")))
    (folder / f"{label_key}.labels.txt").write_text("\n".join(NAMES))
    return f"{folder}/*-%s.tfrecord-*"


@pytest.mark.parametrize("keys", [("image", "label"), ("photo", "kind")])
def test_records_of_tfds_are_recognized_and_read(tmp_path, caplog, keys):
    caplog.set_level(logging.INFO)
    pattern = write_tfds(tmp_path, *keys)
    dataset = opened(pattern)
    assert (dataset.num_samples, dataset.num_classes) == (5, 3)
    assert tuple(dataset.labels_to_names.values()) == NAMES
    assert read(dataset)[0] == [0, 1, 2, 0, 1]
    assert f"Records of TFDS: image in {keys[0]!r}, label in {keys[1]!r}." in caplog.text
    for damaged in ("[" * 100_000, '{"featuresDict": 3}', json.dumps(described(*keys, "-3"))):
        (tmp_path / "features.json").write_text(damaged)
        assert tfds.read(str(tmp_path)) is None
    (tmp_path / "features.json").unlink()
    if keys == ("image", "label"):  # They are told by their names alone, then.
        assert read(opened(pattern, num_classes=3))[0] == [0, 1, 2, 0, 1]
    else:
        with pytest.raises(UserError, match=r"has no feature 'image/encoded' .*, but kind, photo"):
            opened(pattern, num_classes=3)


def _sequence() -> bytes:
    lists = {"frames": tf.train.FeatureList(feature=[feature(image(0))])}
    return tf.train.SequenceExample(
        feature_lists=tf.train.FeatureLists(feature_list=lists)
    ).SerializeToString()


OBJECTS = {"image/encoded": image(0), "image/object/class/label": [1, 2]}
RECORDS = {
    "objects": (example(OBJECTS), r"labels of objects .* and none of the image .*Object Detection"),
    "several_labels": (labeled([1, 2]), "has 2 labels in 'image/class/label'; a classifier needs"),
    "no_label": (labeled(None), "has no feature 'image/class/label' for the label, but image/enc"),
    "empty_label": (
        tf.train.Example(
            features=tf.train.Features(
                feature={
                    "image/encoded": feature(image(0)),
                    "image/class/label": tf.train.Feature(),
                }
            )
        ).SerializeToString(),
        "has no label: its feature 'image/class/label' is empty",
    ),
    "fraction": (labeled(0.5), "has the label 0.5, which is no whole number"),
    "nan": (labeled(float("nan")), "has the label nan, which is no whole number"),
    "infinite": (labeled(float("inf")), "has the label inf, which is no whole number"),
    "empty_text": (labeled(b""), "has an empty text for a label"),
    "raw": (
        example({"image/encoded": bytes(300), "image/format": b"raw", "image/class/label": 0}),
        "holds raw pixels in 'image/encoded', no encoded image",
    ),
    "tiff": (
        example({"image/encoded": image(0, "TIFF"), "image/class/label": 0}),
        "holds TIFF in 'image/encoded', no encoded image",
    ),
    "pixels": (
        example({"image/encoded": [1, 2, 3], "image/class/label": 0}),
        "holds pixels as numbers",
    ),
    "two_images": (
        example({"image/encoded": [image(0), image(1)], "image/class/label": 0}),
        "has 2 images in 'image/encoded'",
    ),
    "empty_image": (
        example({"image/encoded": b"", "image/class/label": 0}),
        "holds an empty image",
    ),
    "misspelt": (
        example({"image/encodd": image(0), "image/class/label": 0}),
        "perhaps --tfrecord_image_key=image/encodd is meant",
    ),
    "sequence": (_sequence(), "is a SequenceExample"),
    "garbage": (b"\xff\xff\xff", r"is no tf\.train\.Example"),
    "empty": (b"", "holds no feature"),
}


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_that_cannot_be_used_is_named_with_its_cause(tmp_path, name):
    """Wherever it stands: nothing is taken for an example of class 0."""
    record, cause = RECORDS[name]
    good = labeled(b"0" if name == "empty_text" else 0.0 if name in ("nan", "fraction") else 0)
    for number, records in enumerate([[record], [good, record]]):
        path = write(tmp_path / f"train-{number}", records)
        with pytest.raises(UserError, match=f"^{path}: record {number} .*{cause}") as caught:
            opened(path, num_classes=3)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("labels", "settings", "cause"),
    [
        ([1, 3], {"num_classes": 3}, r"are 1 to 3, but 3 classes have .* 0 to 2\. They seem to be"
         r" counted from 1: add --tfrecord_label_offset=1"),
        ([0, 3], {"num_classes": 3}, r"are 0 to 3, but 3 classes have the labels 0 to 2\.$"),
        ([-1, 1], {"num_classes": 3}, "are -1 to 1, but 3 classes"),
        ([0, 1], {"num_classes": 3, "label_offset": 1}, "are 0 to 1, but .* labels 1 to 3"),
        ([0, 1], {}, r"is not known\. Its labels are 0 to 1: give --tfrecord_num_classes=2, or"),
        ([1, 2], {}, r"num_classes=3 \(--tfrecord_num_classes=2 --tfrecord_label_offset=1 if"),
        ([b"cat"], {"num_classes": 3}, r"'cat', which is text, not a number\. List all names"),
        ([b"Emu"], {"labels_file": "names.txt"}, r"name of no class \(did you mean 'emu'\?\)\.$"),
        ([b"cat", b"1"], {"labels_file": "names.txt"}, "names of classes in part, and numbers in"),
        ([b"1", 1], {"num_classes": 3}, "are of several types: bytes, int64"),
        ([0], {"num_classes": 2, "labels_file": "names.txt"}, "names 3 classes, but .*classes=2"),
        ([0], {"labels_file": "none.txt"}, "Cannot read the labels in none.txt: No such file"),
        ([0], {"labels_file": "empty.txt"}, "holds no labels: it is empty"),
        ([0], {"labels_file": "gap.txt"}, "gap.txt, line 2: the name of label 1 is missing"),
    ],
)  # fmt: skip
def test_labels_that_fit_no_classes_are_refused(tmp_path, monkeypatch, labels, settings, cause):
    monkeypatch.chdir(tmp_path)
    pathlib.Path("names.txt").write_text("".join(f"{name}\n" for name in NAMES))
    pathlib.Path("empty.txt").write_text("")
    pathlib.Path("gap.txt").write_text("cat\n\nemu\n")
    with pytest.raises(UserError, match=cause) as caught:
        opened(of(labels, tmp_path / "data"), **settings)
    assert "\n" not in str(caught.value)


def test_names_in_the_records_must_be_those_of_the_classes(tmp_path, caplog):
    (tmp_path / "names.txt").write_text("cat\ndog\nemu\n")
    names = os.fspath(tmp_path / "names.txt")
    for offset, text in ((0, b"cat"), (1, b"dog")):
        path = write(tmp_path / f"a{offset}", [labeled(1, **{"image/class/text": text})])
        with pytest.raises(UserError, match=r"The label 1 is called .* Check --tfrecord_label_off"):
            opened(path, labels_file=names, label_offset=offset)
    opened(tmp_path / "a0", labels_file=names, label_offset=1)
    assert "No record has the label" not in caplog.text
    opened(of([1, 2], tmp_path / "data"), num_classes=3)
    assert "No record has the label 0; if labels are counted from 1, add" in caplog.text


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (gzip.compress, r"is no file of records: it is compressed by gzip; unpack it first"),
        (zlib.compress, r"is no file of records: it is compressed by zlib; write it without"),
        (lambda data: image(0), r"is no file of records: it is an image \(JPEG\)"),
        (lambda data: b"PK\x03\x04" + data, "it is a zip archive"),
        (lambda data: data[:-9], "record 0 is damaged"),
    ],
)
def test_a_file_that_holds_no_records_is_named(tmp_path, data, cause):
    path = write(tmp_path / "flowers_train_00000-of-00001.tfrecord", [labeled(1)])
    path.write_bytes(data(path.read_bytes()))
    with pytest.raises(UserError, match=f"^{path}.*{cause}"):
        opened(path, num_classes=3)
    with pytest.raises(UserError, match=f"^{path}.*{cause}"):  # The same under a published name.
        dataset_factory.get_dataset("flowers", "train", str(tmp_path))


def test_a_pattern_is_one_and_a_folder_is_itself(tmp_path):
    for folder, label in (("br[1]", 0), ("br1", 1), ("br2", 2)):
        write(tmp_path / folder / "train-0", [labeled(label)])
    found = {
        pattern: read(opened(f"{tmp_path}/{pattern}", num_classes=3))[0]
        for pattern in ("br[1]/train-0", "br[1]/%s-*", "br[12]/train-0", "br?/*", "**/train-0")
    }
    assert found == {
        "br[1]/train-0": [0],
        "br[1]/%s-*": [0],
        "br[12]/train-0": [1, 2],
        "br?/*": [1, 2],
        "**/train-0": [1, 2, 0],
    }
    in_folder = opened("train-*", dataset_dir=f"{tmp_path}/br[1]", num_classes=3)
    assert read(in_folder)[0] == [0]


@pytest.mark.parametrize(
    ("pattern", "cause"),
    [
        (None, "--tfrecord_pattern is required with --dataset_name=tfrecords: pattern of the f"),
        ("{}/%s-*", r"No file matches .*\(split test\)\. .* holds train-0\.$"),
        ("{}/none/*", r"No file matches .*\. The folder .*none does not exist\."),
        ("{}", "is a folder: name the files in it, such as "),
        ("{}/empty", "hold no record"),
    ],
)  # fmt: skip
def test_patterns_that_name_nothing(tmp_path, pattern, cause):
    folder = tmp_path / "data"
    of([1], folder)
    if pattern == "{}/empty":
        (folder / "empty").touch()
    settings = TfrecordSettings(
        tfrecord_pattern=pattern and pattern.format(folder), tfrecord_num_classes=3
    )
    with pytest.raises(UserError, match=cause):
        any_tfrecords.open_split(settings, "test")


def test_counts_are_remembered_until_a_file_changes(tmp_path, monkeypatch):
    pattern = of([0, 1], tmp_path)
    other = write(tmp_path / "train-1", [labeled(2)])
    assert opened(pattern, num_classes=3).num_samples == 3
    read_files = []
    original = tfrecords.read_records
    monkeypatch.setattr(
        tfrecords, "read_records", lambda path: read_files.append(str(path)) or original(path)
    )

    def files_read(**settings):
        read_files.clear()
        dataset = opened(pattern, **settings)
        return dataset.num_samples, read_files[1:]  # The first look is for TFDS.

    assert files_read(num_classes=3) == (3, [])
    assert files_read(num_classes=5) == (3, [])
    write(other, [labeled(1), labeled(1)])
    assert files_read(num_classes=3) == (4, [str(other)])
    for damaged in ('{"train-0": {"stamp": 1}}', '{"train-0": ' + "[" * 100_000):
        (tmp_path / record_counts.FILENAME).write_text(damaged)
        assert files_read(num_classes=3)[0] == 4
    other.unlink()
    assert files_read(num_classes=3) == (2, [])
    with pytest.raises(UserError, match="'image/class/text'"):
        opened(pattern, num_classes=3, label_key="image/class/text")


def test_a_folder_that_cannot_be_written_is_read_all_the_same(tmp_path, monkeypatch, caplog):
    def refuse(path, content):
        raise PermissionError(13, "Permission denied", path)

    caplog.set_level(logging.INFO)
    monkeypatch.setattr(record_counts.atomic, "write_json", refuse)
    assert opened(of([0, 1], tmp_path), num_classes=3).num_samples == 2
    assert "will be counted again next time" in caplog.text
    assert os.listdir(tmp_path) == ["train-0"]


def test_the_factory_knows_the_name(tmp_path):
    pattern = of([0, 1], tmp_path)
    (tmp_path / "labels.txt").write_text("0:cat\n1:dog\n")  # As this library writes it.
    dataset = dataset_factory.get_dataset("tfrecords", "train", str(tmp_path), "%s-*")
    assert (dataset.num_samples, dataset.labels_to_names) == (2, {0: "cat", 1: "dog"})
    settings = DatasetSettings(dataset_name="tfrecords", tfrecord_pattern=pattern)
    assert dataset_factory.open_split(settings, "train").num_classes == 2
    assert dataset_factory.known_classes(settings) == (2, ("cat", "dog"))
    settings = DatasetSettings(dataset_name="flowers", dataset_dir="x", tfrecord_num_classes=3)
    with pytest.raises(UserError, match="--tfrecord_num_classes needs --dataset_name=tfrecords; g"):
        dataset_factory.open_split(settings, "train")
    settings = DatasetSettings(dataset_name="tfrecords", tfrecord_pattern="a")
    with pytest.raises(UserError, match="is the same for all splits: write %s"):
        dataset_factory.require_splits_apart(settings)
    settings = DatasetSettings(dataset_name="tfrecords", dataset_dir="x")
    with pytest.raises(UserError, match="The classes of --dataset_name=tfrecords are not known"):
        dataset_factory.known_classes(settings)


def test_all_programs_read_them(tmp_path):
    """Labels that are names, images under another name: nothing here is as this library has it."""
    for split, count in (("train", 4), ("val", 5)):
        records = [
            example(
                {"photo": image(i, FORMATS[i]), "kind": NAMES[i % 3].encode(), "image/width": 1.5}
            )
            for i in range(count)
        ]
        write(tmp_path / "data" / f"{split}-0", records)
    (tmp_path / "names.txt").write_text("".join(f"{name}\n" for name in NAMES))
    names = {
        "dataset_name": "tfrecords",
        "tfrecord_pattern": f"{tmp_path}/data/%s-*",
        "tfrecord_image_key": "photo",
        "tfrecord_label_key": "kind",
        "tfrecord_labels_file": f"{tmp_path}/names.txt",
    }
    network = {
        "model_name": "lenet",
        "preprocessing_name": "inception",
        "checkpoint_path": f"{tmp_path}/train",
    }
    train.train(
        TrainConfig(
            **{**names, **network, "checkpoint_path": None},
            train_dir=f"{tmp_path}/train",
            batch_size=2,
            max_number_of_steps=1,
            eval_every_steps=1,
            eval_split_name="val",
        )
    )
    evaluation = Evaluation(
        **names, **network, dataset_split_name="val", eval_dir=f"{tmp_path}/eval"
    )
    assert evaluate.evaluate(evaluation).num_examples == 5
    page = (tmp_path / "eval" / evaluate.PAGE).read_text()
    assert page.count("<img") == 5
    assert "emu" in page
    inspected = inspect.inspect(Inspection(**names, output_dir=f"{tmp_path}/inspection"))
    report = json.loads((tmp_path / "inspection" / "report.json").read_text())
    assert inspected.good, inspected.summary()
    assert report["class_names"] == {"0": "cat", "1": "dog", "2": "emu"}
    assert report["splits"]["train"]["classes"] == {"0": 2, "1": 1, "2": 1}
    assert report["splits"]["val"]["records"] == 5
    pattern = {**names, "tfrecord_pattern": None}  # The names are enough here.
    exported = inference_graph.export(
        Export(**pattern, **network, output_file=f"{tmp_path}/model.pb")
    )
    assert exported.model.class_names == NAMES
    (tmp_path / "photo.jpg").write_bytes(image(1))
    with classifier.open_classifier(Classification(**pattern, **network)) as opened_classifier:
        ((_, guesses),) = opened_classifier.classify([f"{tmp_path}/photo.jpg"])
    assert {guess.name for guess in guesses} == set(NAMES)


@pytest.mark.parametrize(
    ("records", "problem"),
    [
        ([labeled(0), labeled(3)], "has the label 3, which no class has"),
        ([labeled(0), labeled(None)], "has no feature 'image/class/label' for the label"),
        ([labeled(0), RECORDS["raw"][0]], "holds raw pixels"),
    ],
)
def test_inspection_lists_what_training_would_refuse(tmp_path, records, problem):
    write(tmp_path / "data" / "a", records)
    found = inspect.inspect(
        Inspection(
            dataset_name="tfrecords",
            tfrecord_pattern=f"{tmp_path}/data/*",
            tfrecord_num_classes=3,
        )
    )
    assert not found.good
    assert f"a, record 1: {problem}" in "\n".join(found.summary())
    assert (tmp_path / "data_inspection" / "index.html").exists()
