"""Sets that the original wrote are read here, and its readers read what is written here.

Both ends of the original are made from their description in the golden file: its writers from the
features and types of their records, its readers from their parsing configuration and handlers.
"""

import functools
import io
import logging
import os
import pathlib

import numpy as np
import pytest
from PIL import Image

from datasets import dataset_factory, dataset_utils
from datasets.conversion import convert as conversion
from datasets.conversion import write
from datasets.conversion.settings import Conversion
from datasets.converters.imagenet import archives, convert, inventory
from datasets.converters.imagenet.settings import Options
from datasets.storage import tfrecords
from slim_internal.ground.compat import slim, tf
from tests import golden_files
from tests.datasets import fake_data
from tests.datasets.converters.imagenet import fake_ilsvrc

GOLDEN = golden_files.load("datasets.json")
NAMES = sorted(GOLDEN["factory_map"])
BOXES = np.array([[0.25, 0.125, 0.5, 1.0], [0.0, 0.5, 0.75, 0.625]], np.float32)
SIDES = ("ymin", "xmin", "ymax", "xmax")

# The file of a split as the original named it.
FILES = {
    "cifar10": "cifar10_{}.tfrecord",
    "flowers": "flowers_{}_00000-of-00005.tfrecord",
    "imagenet": "{}-00000-of-01024",
    "mnist": "mnist_{}.tfrecord",
    "visualwakewords": "{}.record-00000-of-00100",
}
PIXELS = {"cifar10": (32, 32, 3), "mnist": (28, 28)}


def kinds(name: str) -> dict[str, str]:
    """Returns the features of the original's records, each with the first word of its type."""
    if name == "imagenet":
        found = GOLDEN["build_imagenet_data"]["tf_example_features"]
    elif name == "visualwakewords":
        found = GOLDEN[name]["convert"]["tf_example_features"]
    else:
        found = {
            key: entry["kind"]
            for key, entry in GOLDEN["dataset_utils"]["image_to_tfexample"].items()
        }
    return {key: kind.replace("_", " ").split()[0] for key, kind in found.items()}


def picture_format(name: str) -> str:
    """Returns what the original's records say of the format of their pictures."""
    if name == "imagenet":
        return GOLDEN["build_imagenet_data"]["constants"]["image/format"]
    return GOLDEN[name]["convert"].get("format_value", "jpeg")


@functools.cache
def picture(name: str, label: int) -> tuple[bytes, np.ndarray]:
    """Returns a picture file of the kind that the dataset holds, and its pixels."""
    shape = PIXELS.get(name, (10 + label, 12, 3))
    pixels = np.random.RandomState(label).randint(0, 256, shape).astype(np.uint8)
    png = picture_format(name) == "png"
    data = fake_data.encoded(Image.fromarray(pixels), "PNG" if png else "JPEG")
    if not png:
        pixels = decoded(data)
    return data, pixels.reshape(*shape[:2], -1)


@functools.cache
def decoded(data: bytes) -> np.ndarray:
    """Returns the pixels of a JPEG as TensorFlow decodes it."""
    with tf.Graph().as_default(), tf.Session() as session:
        return session.run(tf.image.decode_jpeg(data, channels=3))


def original_record(name: str, label: int) -> bytes:
    """Returns a record as the original's writer of the dataset made it."""
    data, pixels = picture(name, label)
    values = {
        "image/channels": 3,
        "image/class/label": label,
        "image/class/synset": b"n01440764",
        "image/class/text": b"tench, Tinca tinca",
        "image/colorspace": b"RGB",
        "image/encoded": data,
        "image/filename": b"a.jpg",
        "image/format": picture_format(name).encode(),
        "image/height": pixels.shape[0],
        "image/key/sha256": b"0" * 64,
        "image/object/area": [10.0, 20.0],
        "image/object/bbox/label": [label] * len(BOXES),
        "image/source_id": b"17",
        "image/width": pixels.shape[1],
    } | {f"image/object/bbox/{side}": BOXES[:, i].tolist() for i, side in enumerate(SIDES)}
    make = {
        "bytes": dataset_utils.bytes_feature,
        "float": dataset_utils.float_feature,
        "int64": dataset_utils.int64_feature,
    }
    features = {key: make[kind](values[key]) for key, kind in kinds(name).items()}
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


@pytest.mark.parametrize("name", NAMES)
def test_a_set_of_the_original_is_read_record_by_record(name, tmp_path, caplog):
    labels = [1, 0, 1]
    for split in GOLDEN[name]["splits_to_sizes"]:
        with tf.io.TFRecordWriter(str(tmp_path / FILES[name].format(split))) as writer:
            for label in labels:
                writer.write(original_record(name, label))
    for split in GOLDEN[name]["splits_to_sizes"]:
        with tf.Graph().as_default(), caplog.at_level(logging.WARNING):
            dataset = dataset_factory.get_dataset(name, split, str(tmp_path))
            provider = slim.dataset_data_provider.DatasetDataProvider(dataset, shuffle=False)
            names = GOLDEN[name]["decoder_items"]
            items = dict(zip(names, provider.get(names), strict=True))
            with tf.train.MonitoredSession() as session:
                found = [session.run(items) for _ in labels]
        assert "has no manifest.json" in caplog.text
        for label, example in zip(labels, found, strict=True):
            np.testing.assert_array_equal(example["image"], picture(name, label)[1])
            assert example["label"] == label
            if "object/bbox" in example:
                np.testing.assert_array_equal(example["object/bbox"], BOXES)
            if name == "imagenet":
                assert example["label_text"] == b"tench, Tinca tinca"
                assert example["object/label"].tolist() == [label] * len(BOXES)


def original_decoder(name: str) -> slim.tfexample_decoder.TFExampleDecoder:
    """Returns the decoder of the original's descriptor."""
    features = {}
    for key, entry in GOLDEN[name]["keys_to_features"].items():
        dtype = tf.as_dtype(entry["dtype"])
        features[key] = (
            tf.VarLenFeature(dtype)
            if entry["kind"] == "VarLenFeature"
            else tf.FixedLenFeature(entry["shape"], dtype, default_value=entry["default"])
        )
    make = {
        "BoundingBox": lambda entry: slim.tfexample_decoder.BoundingBox(
            [key.removeprefix(entry["prefix"]) for key in entry["full_keys"]], entry["prefix"]
        ),
        "Image": lambda entry: slim.tfexample_decoder.Image(
            entry["image_key"],
            entry["format_key"],
            shape=entry["shape"],
            channels=entry["channels"],
        ),
        "Tensor": lambda entry: slim.tfexample_decoder.Tensor(
            entry["tensor_key"], shape=entry["shape"]
        ),
    }
    handlers = {
        item: make[entry["handler"]](entry)
        for item, entry in GOLDEN[name]["items_to_handlers"].items()
    }
    return slim.tfexample_decoder.TFExampleDecoder(features, handlers)


def write_here(name: str, folder: pathlib.Path) -> None:
    """Converts a small set of that name with this library."""
    if name != "imagenet":
        source = fake_data.make(name, folder / "source")
        options = {"source": os.fspath(source.folder)} | dict(source.options)
        conversion.convert(
            Conversion(dataset_name=name, dataset_dir=os.fspath(folder / "set"), **options)
        )
        return
    source = fake_ilsvrc.challenge().write(folder / "source")
    request = archives.Request(data_dir="", source=os.fspath(source), checksums=False)
    listed = inventory.from_archives(archives.obtain(request), whole=False)
    options = Options(output_directory=str(folder / "set"), train_shards=2, validation_shards=2)
    write.build(options.output_directory, convert.plan_inventory(listed, options))


@pytest.mark.parametrize("name", NAMES)
def test_the_original_reads_a_set_that_is_written_here(name, tmp_path):
    write_here(name, tmp_path)
    for split in GOLDEN[name]["splits_to_sizes"]:
        # What the original looks for.
        pattern = GOLDEN[name]["data_sources_template"].partition("/")[2]
        paths = sorted((tmp_path / "set").glob(pattern.replace("<split>", split)))
        records = [record for path in paths for record in tfrecords.read_records(path)]
        assert records
        with tf.Graph().as_default(), tf.Session() as session:
            serialized = tf.placeholder(tf.string, [])
            decoder = original_decoder(name)
            items = dict(zip(decoder.list_items(), decoder.decode(serialized), strict=True))
            for record in records:
                stored = tf.train.Example.FromString(record).features.feature
                types = {key: value.WhichOneof("kind") for key, value in stored.items()}
                assert types == {key: f"{kind}_list" for key, kind in kinds(name).items()}
                found = session.run(items, {serialized: record})
                data = stored["image/encoded"].bytes_list.value[0]
                size = Image.open(io.BytesIO(data)).size
                assert found["image"].shape[:2] == size[::-1]
                assert found["label"] == stored["image/class/label"].int64_list.value[0]
                if "object/bbox" in found:
                    count = len(stored["image/object/bbox/xmin"].float_list.value)
                    assert found["object/bbox"].shape == (count, 4)
