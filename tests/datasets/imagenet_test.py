"""The description of ImageNet, and sets written by the original, by this library, and old code."""

import pytest

from datasets import dataset_factory, dataset_utils, imagenet, imagenet_classes
from datasets.storage import manifest
from slim_internal.ground import errors
from slim_internal.ground.compat import slim, tf
from tests import golden_files
from tests.datasets.converters.imagenet import fake_ilsvrc

GOLDEN = golden_files.load("datasets.json")["imagenet"]
TABLE = golden_files.load("imagenet_classes.json")


def example(label_feature: str) -> bytes:
    """Returns a record as the original converter wrote it, with two boxes."""
    encoded = fake_ilsvrc.encode(fake_ilsvrc.picture(1, 4, 6))
    boxes = {"ymin": [0.1, 0.2], "xmin": [0.3, 0.4], "ymax": [0.5, 0.6], "xmax": [0.7, 0.8]}
    features = {
        "image/encoded": dataset_utils.bytes_feature(encoded),
        "image/format": dataset_utils.bytes_feature(b"JPEG"),
        "image/class/label": dataset_utils.int64_feature(7),
        "image/class/text": dataset_utils.bytes_feature(b"cock"),
        label_feature: dataset_utils.int64_feature([7, 7]),
    }
    for side, values in boxes.items():
        features[f"image/object/bbox/{side}"] = dataset_utils.float_feature(values)
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


@pytest.mark.parametrize("label_feature", ["image/object/bbox/label", "image/object/class/label"])
def test_reads_a_set_of_the_original_under_either_name_of_the_object_label(
    tmp_path, caplog, label_feature
):
    with tf.io.TFRecordWriter(str(tmp_path / "validation-00000-of-00001")) as writer:
        writer.write(example(label_feature))

    with tf.Graph().as_default():
        dataset = imagenet.get_split("validation", str(tmp_path))
        provider = slim.dataset_data_provider.DatasetDataProvider(dataset, shuffle=False)
        items = provider.get(["image", "label", "label_text", "object/bbox", "object/label"])
        with tf.train.MonitoredSession() as session:
            image, label, text, boxes, labels = session.run(items)

    assert (image.shape, image.dtype, label, text) == ((4, 6, 3), "uint8", 7, b"cock")
    assert boxes.tolist() == [
        pytest.approx([0.1, 0.3, 0.5, 0.7]),
        pytest.approx([0.2, 0.4, 0.6, 0.8]),
    ]
    assert labels.tolist() == [7, 7]
    assert "no manifest.json" in caplog.text


def test_is_described_as_the_original_described_it(tmp_path):
    dataset = dataset_factory.get_dataset("imagenet", "train", str(tmp_path))
    attributes = GOLDEN["dataset_attributes"]
    assert dataset.num_samples == attributes["num_samples"]
    assert dataset.num_classes == attributes["num_classes"]
    assert dataset.data_sources == f"{tmp_path}/train-*"
    assert dataset.reader is tf.TFRecordReader
    assert sorted(dataset.decoder.list_items()) == GOLDEN["decoder_items"]
    assert sorted(dataset.items_to_descriptions) == GOLDEN["items_to_descriptions_keys"]
    assert dict(imagenet.RECORD.splits) == GOLDEN["splits_to_sizes"]


def test_features_are_those_of_the_original_and_the_mended_label():
    found = dict(imagenet.RECORD.keys_to_features)
    assert isinstance(found.pop("image/object/bbox/label"), tf.VarLenFeature)
    assert set(found) == set(GOLDEN["keys_to_features"])
    for key, golden in GOLDEN["keys_to_features"].items():
        assert type(found[key]).__name__ == golden["kind"], key
        assert found[key].dtype.name == golden["dtype"], key
        if golden["kind"] == "FixedLenFeature":
            # Without its label an example is an error: no label is made up.
            default = None if key == "image/class/label" else golden["default"]
            assert found[key].default_value == default, key
            assert list(found[key].shape) == golden["shape"], key


def test_every_class_has_its_number_id_and_names():
    found = [list(entry) for entry in imagenet_classes.classes()]
    assert found == TABLE
    assert imagenet_classes.by_wordnet_id()["n01440764"].label == 1
    assert tuple(imagenet_classes.labels_to_names().values()) == imagenet.RECORD.class_names


@pytest.mark.parametrize("readable", [True, False])
def test_names_need_neither_network_nor_label_file(tmp_path, monkeypatch, readable):
    monkeypatch.setattr(imagenet, "LOAD_READABLE_NAMES", readable)
    names = imagenet.get_split("train", str(tmp_path)).labels_to_names
    if readable:
        assert names == {0: "background"} | {label: text for label, _, text in TABLE}
        assert len(names) == GOLDEN["n_labels_to_names"]
    else:
        assert names is None
    assert list(tmp_path.iterdir()) == []


def test_a_label_file_has_the_last_word(tmp_path):
    dataset_utils.write_label_file({0: "nothing", 1: "fish"}, tmp_path)
    assert imagenet.get_split("train", str(tmp_path)).labels_to_names == {0: "nothing", 1: "fish"}


def test_sizes_of_a_subset_come_from_its_manifest(tmp_path):
    (tmp_path / "train-00000-of-00001").write_bytes(b"123")
    shard = manifest.Shard(
        name="train-00000-of-00001", split="train", records=5, bytes=3, checksum="crc32c:0"
    )
    names = imagenet.RECORD.class_names
    manifest.write(
        tmp_path, manifest.Manifest(dataset="imagenet", class_names=names, shards=(shard,))
    )
    assert imagenet.get_split("train", str(tmp_path)).num_samples == 5


def test_an_unknown_split_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="Unknown split of imagenet 'test'"):
        imagenet.get_split("test", str(tmp_path))
    assert issubclass(errors.UserError, ValueError)
