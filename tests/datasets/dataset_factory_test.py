"""Descriptors against those of the original: splits, features, handlers, attributes."""

import importlib.util
import inspect
import logging
import os
import pathlib
import types

import numpy as np
import pytest

from datasets import dataset_factory, descriptor, download_and_convert_flowers
from datasets.conversion import convert, verify
from datasets.conversion.settings import Conversion
from datasets.storage import journal, manifest, tfrecords
from slim_internal.ground.compat import slim, tf
from slim_internal.ground.errors import UserError
from slim_internal.programs.inspection import dataset_files
from tests import golden_files

GOLDEN = golden_files.load("datasets.json")
API = golden_files.load("api.json")
NAMES = sorted(GOLDEN["factory_map"])

# The original's spellings that are mended here.
MENDED = {("imagenet", "label"): "The label id of the image, integer between 0 and 1000"}


def value(default):
    """Returns a default as the golden file has it: tensors as what they hold."""
    if isinstance(default, tf.Tensor):
        with tf.Session(graph=default.graph) as session:
            return session.run(default).tolist()
    return default


def describe_feature(feature) -> dict:
    fields = {"kind": type(feature).__name__, "dtype": feature.dtype.name}
    if isinstance(feature, tf.FixedLenFeature):
        fields |= {"shape": list(feature.shape), "default": value(feature.default_value)}
    return fields


def handler_of(name: str, item: str):
    return dataset_factory.records[name].items_to_handlers[item]


@pytest.mark.parametrize("name", NAMES)
def test_factory_knows_the_module(name):
    assert dataset_factory.datasets_map[name].__name__ == GOLDEN["factory_map"][name]


@pytest.mark.parametrize("name", NAMES)
def test_features(name):
    features = dataset_factory.records[name].keys_to_features
    wanted = {key: dict(entry) for key, entry in GOLDEN[name]["keys_to_features"].items()}
    # The original takes a record without a label for one of the first class, or of class -1.
    wanted["image/class/label"]["default"] = None
    assert {key: describe_feature(features[key]) for key in wanted} == wanted


@pytest.mark.parametrize("name", NAMES)
def test_handlers(name):
    wanted = GOLDEN[name]["items_to_handlers"]
    assert sorted(dataset_factory.records[name].items_to_handlers) == sorted(wanted)
    for item, expected in wanted.items():
        handler = handler_of(name, item)
        assert expected["handler"] in [base.__name__ for base in type(handler).__mro__]
        assert set(expected["keys"]) <= set(handler.keys)
        for field in ("shape", "channels", "repeated", "dct_method", "tensor_key", "shape_keys"):
            if field in expected:
                assert getattr(handler, f"_{field}") == expected[field], (item, field)


@pytest.mark.parametrize("name", NAMES)
def test_split_without_files_or_manifest(name, tmp_path):
    wanted = GOLDEN[name]
    for split, size in wanted["splits_to_sizes"].items():
        dataset = dataset_factory.get_dataset(name, split, os.fspath(tmp_path))
        template = wanted["data_sources_template"]
        expected = template.replace("<dataset_dir>", str(tmp_path)).replace("<split>", split)
        assert dataset.data_sources == expected
        assert dataset.num_samples == size
        assert dataset.num_classes == wanted["num_classes"]
        assert dataset.reader is tf.TFRecordReader
        assert type(dataset.decoder).__name__ == wanted["dataset_attributes"]["decoder"]
        assert dataset.decoder.list_items() == wanted["decoder_items"]
        assert list(dataset.items_to_descriptions) == wanted["items_to_descriptions_keys"]
        if name != "imagenet":  # Its names come with the library.
            assert dataset.labels_to_names is None


@pytest.mark.parametrize("name", NAMES)
def test_descriptions_and_public_constants(name):
    module = dataset_factory.datasets_map[name]
    api = API[GOLDEN["factory_map"][name]]
    for item, text in api["private_constants"]["_ITEMS_TO_DESCRIPTIONS"].items():
        wanted = MENDED.get((name, item), text)
        assert dataset_factory.records[name].items_to_descriptions[item] == wanted
    for constant, expected in api.get("constants", {}).items():
        assert getattr(module, constant) == expected
    signature = [
        [p.name] if p.default is p.empty else [p.name, repr(p.default)]
        for p in inspect.signature(module.get_split).parameters.values()
    ]
    assert signature == api["functions"]["get_split"]["signature"]


@pytest.mark.parametrize("name", sorted(dataset_factory.records))
def test_records_are_complete(name):
    record = dataset_factory.records[name]
    assert record.name == name
    assert record.file_pattern.count("%s") == 1
    assert set(record.items_to_descriptions) == set(record.items_to_handlers)
    if record.class_names:
        assert len(record.class_names) == record.num_classes


CHECKSUMS = golden_files.load("checksums.json")


@pytest.mark.parametrize("name", ["cifar10", "flowers", "mnist"])
def test_sources_carry_the_known_sizes_and_digests(name):
    sources = {source.name: source for source in dataset_factory.records[name].sources}
    for url, size, algorithm, digest in CHECKSUMS[name]["files"]:
        source = sources.pop(url.rpartition("/")[2])
        assert (source.size, source.digest) == (size, f"{algorithm}:{digest}")
        assert url in source.urls
    assert not sources


@pytest.mark.parametrize(
    ("name", "split", "message"),
    [
        ("flower", "train", "Unknown dataset 'flower'. Did you mean 'flowers'?"),
        ("flowers", "test", "Unknown split of flowers 'test'. "),
        ("image_folder", "train", "has no manifest.json"),
    ],
)
def test_mistakes_are_explained(name, split, message, tmp_path):
    with pytest.raises(UserError, match=message.replace("?", r"\?")):
        dataset_factory.get_dataset(name, split, os.fspath(tmp_path))


def fake_set(folder, dataset="mnist", size=3):
    (folder / "mnist_train.tfrecord").write_bytes(b"x" * size)
    shard = manifest.Shard(
        name="mnist_train.tfrecord", split="train", records=7, bytes=3, checksum="crc32:0"
    )
    contents = manifest.Manifest(dataset=dataset, class_names=("a", "b"), shards=(shard,))
    manifest.write(folder, contents)


READERS = {
    "reading": lambda folder: dataset_factory.get_dataset("mnist", "train", folder),
    "verification": verify.run,
    "conversion": lambda folder: convert.convert(
        Conversion(dataset_name="mnist", dataset_dir=folder, source=folder)
    ),
    "inspection": dataset_files.find,
}


@pytest.mark.parametrize("content", ["", "[" * 100_000, '{"dataset": "mnist", "shards": 7}'])
@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_a_damaged_manifest_is_one_line_for_all_who_read_it(tmp_path, reader, content):
    (tmp_path / manifest.FILENAME).write_text(content)
    with pytest.raises(
        UserError, match=r"manifest\.json is damaged \(.* Empty the folder and"
    ) as e:
        reader(os.fspath(tmp_path))
    assert "\n" not in str(e.value)
    assert (tmp_path / manifest.FILENAME).read_text() == content


def test_manifest_has_the_last_word(tmp_path):
    fake_set(tmp_path)
    dataset = dataset_factory.get_dataset("mnist", "train", str(tmp_path))
    assert (dataset.num_samples, dataset.num_classes) == (7, 2)
    assert dataset.labels_to_names == {0: "a", 1: "b"}
    with pytest.raises(UserError, match="Unknown split of mnist 'test'"):
        dataset_factory.get_dataset("mnist", "test", str(tmp_path))


def test_refuses_files_that_disagree_with_the_manifest(tmp_path):
    fake_set(tmp_path, size=2)
    with pytest.raises(UserError, match=r"mnist_train\.tfrecord has 2 bytes instead of 3"):
        dataset_factory.get_dataset("mnist", "train", str(tmp_path))
    (tmp_path / "mnist_train.tfrecord").unlink()
    with pytest.raises(UserError, match=r"mnist_train\.tfrecord is missing"):
        dataset_factory.get_dataset("mnist", "train", str(tmp_path))


def test_refuses_another_data_set(tmp_path):
    fake_set(tmp_path, dataset="cifar10")
    with pytest.raises(UserError, match="holds cifar10, not mnist"):
        dataset_factory.get_dataset("mnist", "train", str(tmp_path))


def test_refuses_an_unfinished_conversion(tmp_path):
    journal.path(tmp_path).touch()
    with pytest.raises(UserError, match="has not ended"):
        dataset_factory.get_dataset("mnist", "train", str(tmp_path))


def test_refuses_a_damaged_manifest(tmp_path):
    (tmp_path / manifest.FILENAME).write_text('{"dataset": "mnist"')
    with pytest.raises(UserError, match=r"manifest\.json is damaged"):
        dataset_factory.get_dataset("mnist", "train", str(tmp_path))


def test_files_of_the_original_open_with_a_warning(tmp_path, caplog):
    (tmp_path / "mnist_train.tfrecord").touch()
    with caplog.at_level(logging.WARNING):
        dataset = dataset_factory.get_dataset("mnist", "train", str(tmp_path))
    assert dataset.num_samples == 60000
    assert "has no manifest.json" in caplog.text


def test_a_subset_of_the_files_of_the_original_is_counted(tmp_path, caplog):
    """Without decoding anything, so that a subset of ImageNet opens at once."""
    for shard, records in enumerate([[b"a", b"b"], [b"c"]]):
        tfrecords.write_shard(tmp_path / f"validation-{shard:05d}-of-00128", records)
    dataset = dataset_factory.get_dataset("imagenet", "validation", str(tmp_path))
    assert dataset.num_samples == 3
    expected = "holds 3 examples of the split validation; the published imagenet has 50,000."
    assert expected in caplog.text
    assert "126 files are missing: validation-00002-of-00128, " in caplog.text
    caplog.clear()
    pattern = "%s-00000-of-*"
    dataset = dataset_factory.get_dataset("imagenet", "validation", str(tmp_path), pattern)
    assert dataset.num_samples == 2
    assert "published imagenet has" not in caplog.text
    assert "missing" not in caplog.text


def test_file_pattern_and_reader_can_be_given(tmp_path):
    dataset = dataset_factory.get_dataset(
        "mnist", "train", str(tmp_path), file_pattern="mine-%s-*", reader=tf.FixedLengthRecordReader
    )
    assert dataset.data_sources == f"{tmp_path}/mine-train-*"
    assert dataset.reader is tf.FixedLengthRecordReader


def test_data_files_are_listed_or_missed(tmp_path):
    dataset = dataset_factory.get_dataset("flowers", "train", str(tmp_path))
    with pytest.raises(UserError, match="holds no such files"):
        descriptor.data_files(dataset)
    for index in (1, 0):
        (tmp_path / f"flowers_train_0000{index}-of-00002.tfrecord").touch()
    files = [os.path.basename(path) for path in descriptor.data_files(dataset)]
    assert files == [f"flowers_train_0000{index}-of-00002.tfrecord" for index in (0, 1)]
    absent = dataset_factory.get_dataset("flowers", "train", str(tmp_path / "absent"))
    with pytest.raises(UserError, match="absent does not exist"):
        descriptor.data_files(absent)


@pytest.mark.parametrize("name", sorted(dataset_factory.records))
def test_a_record_without_a_label_is_no_example_of_any_class(name):
    record = dataset_factory.records[name]
    with tf.Graph().as_default(), tf.Session() as session:
        decoder = slim.tfexample_decoder.TFExampleDecoder(
            record.keys_to_features, record.items_to_handlers
        )
        (found,) = decoder.decode(b"", ["label"])
        with pytest.raises(tf.errors.InvalidArgumentError, match="image/class/label"):
            session.run(found)


def _clone(split_name, dataset_dir, file_pattern=None, reader=None):
    """Stands for a module that was cloned from the original's flowers.py."""
    if split_name != "train":
        raise ValueError(f"split name {split_name} was not recognized.")
    return slim.dataset.Dataset(
        data_sources=os.path.join(dataset_dir, file_pattern or "mine_train_*.tfrecord"),
        reader=reader or tf.TFRecordReader,
        decoder=None,
        num_samples=3,
        items_to_descriptions={},
        num_classes=2,
    )


def test_a_module_with_get_split_only_is_a_dataset(monkeypatch):
    monkeypatch.setitem(
        dataset_factory.datasets_map, "mine", types.SimpleNamespace(get_split=_clone)
    )
    dataset = dataset_factory.get_dataset("mine", "train", "folder")
    assert dataset.data_sources == os.path.join("folder", "mine_train_*.tfrecord")
    with pytest.raises(UserError, match=r"^Dataset 'mine': split name test was not recognized"):
        dataset_factory.get_dataset("mine", "test", "folder")
    with pytest.raises(UserError, match=r"^Of the dataset 'mine' only get_split is known"):
        dataset_factory.get_record("mine")
    with pytest.raises(UserError, match=r"'mime'\. Did you mean 'mine'"):
        dataset_factory.get_dataset("mime", "train", "folder")


def test_a_replaced_dataset_is_the_one_that_is_read(monkeypatch):
    monkeypatch.setitem(
        dataset_factory.datasets_map, "flowers", types.SimpleNamespace(get_split=_clone)
    )
    assert dataset_factory.get_dataset("flowers", "train", "folder").num_samples == 3


def test_an_entry_that_is_no_module(monkeypatch):
    monkeypatch.setitem(dataset_factory.datasets_map, "mine", 3)
    with pytest.raises(UserError, match=r"^The entry 'mine' of .* has no function get_split"):
        dataset_factory.get_dataset("mine", "train", "folder")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("    mnist,\n", "    mnist,\n    mnist as mnist_of_mine,\n", "has two entries 'mnist': "),
        (
            "\nrecords = {",
            '\ndatasets_map = {\n    "mine": flowers,\n    "mine": mnist,\n}\nrecords = {',
            "has the key 'mine' twice in one table, in the lines ",
        ),
    ],
)
def test_a_name_that_stands_twice_in_an_edited_factory(tmp_path, old, new, message):
    source = pathlib.Path(dataset_factory.__file__).read_text()
    edited = tmp_path / "edited_factory.py"
    edited.write_text(source.replace(old, new, 1))
    spec = importlib.util.spec_from_file_location("edited_factory", edited)
    with pytest.raises(UserError, match=message):
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


@pytest.mark.parametrize("name", ["Flowers", "image-folder", "Image_Folder", "visual_wakewords"])
def test_another_spelling_is_told_the_right_one(name):
    right = {"visual_wakewords": "visualwakewords"}.get(name, name.lower().replace("-", "_"))
    with pytest.raises(UserError, match=f"Unknown dataset '{name}'. Did you mean '{right}'"):
        dataset_factory.get_dataset(name, "train", "folder")


def test_image_reader_of_flowers():
    image = np.zeros([5, 7, 3], np.uint8)
    with tf.Graph().as_default(), tf.Session() as session:
        reader = download_and_convert_flowers.ImageReader()
        encoded = session.run(tf.image.encode_jpeg(image))
        assert tuple(reader.read_image_dims(session, encoded)) == (5, 7)
        np.testing.assert_array_equal(reader.decode_jpeg(session, encoded), image)


@pytest.mark.parametrize("name", ["birds[1]", "birds*", "birds?", "back\\slash"])
def test_a_folder_is_no_pattern(tmp_path, name):
    for folder in (name, "birds1", "birdsX"):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "mnist_train.tfrecord").touch()
        (tmp_path / folder / "flowers_train_00000-of-00001.tfrecord").touch()
    for record, file in (
        ("mnist", "mnist_train.tfrecord"),
        ("flowers", "flowers_train_00000-of-00001.tfrecord"),
    ):
        dataset = dataset_factory.get_dataset(record, "train", str(tmp_path / name))
        assert descriptor.data_files(dataset) == [str(tmp_path / name / file)]


def test_a_folder_with_brackets_that_holds_nothing_is_named_as_given(tmp_path):
    dataset = dataset_factory.get_dataset("mnist", "train", str(tmp_path / "a[1]"))
    with pytest.raises(UserError, match=r"a\[1\] does not exist"):
        descriptor.data_files(dataset)
