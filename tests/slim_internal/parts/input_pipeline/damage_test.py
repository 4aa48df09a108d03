"""Damages data files and reads them."""

import pathlib
import re

import numpy as np
import pytest

from datasets import dataset_factory
from datasets.storage import example, tfrecords
from slim_internal.ground.compat import tf
from slim_internal.ground.errors import UserError
from slim_internal.parts.input_pipeline import batches as input_pipeline
from slim_internal.parts.input_pipeline import damage
from tests.datasets import fake_data
from tests.slim_internal.programs.training import tiny_dataset


@pytest.fixture
def dataset(tmp_path):
    return tiny_dataset.write(str(tmp_path), 25)


def _read(dataset, preprocess=lambda image: image, before=lambda: None):
    with tf.Graph().as_default(), tf.Session() as session:
        batches = input_pipeline.training_batches(dataset, preprocess, batch_size=10, seed=1)
        next_batch = tf.data.make_one_shot_iterator(batches).get_next()
        before()
        for _ in range(3):
            session.run(next_batch)


@pytest.mark.parametrize("harm", ["flip", "truncate", "picture", "garbage", "no label"])
def test_damaged_record_is_named(dataset, harm):
    path = pathlib.Path(dataset.data_sources.replace("*", "1"))
    data = bytearray(path.read_bytes())
    if harm == "flip":
        data[len(data) // 2] ^= 1
    if harm == "truncate":
        data = data[:-1]
    path.write_bytes(data)
    if harm == "picture":
        with tf.python_io.TFRecordWriter(str(path)) as writer:
            writer.write(tiny_dataset.example(b"no picture", 0))
    strange = {"garbage": b"\xff\xfe\xfd garbage" * 9, "no label": b""}
    if harm in strange:
        with tf.python_io.TFRecordWriter(str(path)) as writer:
            writer.write(strange[harm])
    number = {"flip": 4, "truncate": 7}.get(harm, 0)
    message = rf"Record {number} .*of {path} is damaged: \w+|{path}: record {number} is damaged"
    with pytest.raises(UserError, match=message):
        with damage.damage_named(dataset):
            _read(dataset)


FLOWERS = {
    # What replaces a feature of the second record, and what must be said of it.
    "gif": ("image/encoded", "bytes", "GIF", "its image is a GIF"),
    "webp": ("image/encoded", "bytes", "WEBP", "its image is a WebP, which may be animated"),
    "raw": ("image/format", "bytes", b"raw", "its image, JPEG, does not decode as .* 'raw'"),
    "text for a height": (
        "image/height",
        "bytes",
        b"20",
        "no single whole number in 'image/height'",
    ),
    "fraction for a width": (
        "image/width",
        "float",
        0.5,
        "no single whole number in 'image/width'",
    ),
    "number for a name": ("image/filename", "int64", 3, "no single text in 'image/filename'"),
    "label too large": ("image/class/label", "int64", 5, "The first is 5, of record 1"),
    "negative label": (
        "image/class/label",
        "int64",
        -(2**40),
        "The first is -1099511627776, of rec",
    ),
}


@pytest.mark.parametrize(("key", "kind", "value", "message"), FLOWERS.values(), ids=FLOWERS)
def test_what_the_original_cannot_read_is_named(tmp_path, key, kind, value, message):
    """Its decoder makes a clip of a GIF, and takes its word for other features."""
    picture = fake_data.picture(np.random.RandomState(1), 20, 24)
    good = example.image_example(fake_data.encoded(picture, "JPEG"), b"jpg", 20, 24, 0)
    odd = tf.train.Example.FromString(good)
    value = fake_data.encoded(picture, value) if isinstance(value, str) else value
    odd.features.feature[key].Clear()
    getattr(odd.features.feature[key], f"{kind}_list").value.append(value)
    path = tmp_path / "flowers_train_00000-of-00001.tfrecord"
    tfrecords.write_shard(path, [good, odd.SerializeToString()])
    dataset = dataset_factory.get_dataset("flowers", "train", str(tmp_path))
    with pytest.raises(UserError, match=f"ecord 1 .* of {path}") as caught:
        _meet(dataset, is_label="label" in key)
    assert re.search(message, str(caught.value))


def _meet(dataset, *, is_label: bool):
    with damage.damage_named(dataset):
        if is_label:
            raise damage.LabelsOutsideError("No class.", num_classes=5, labels_offset=0)
        _read(dataset, lambda image: tf.image.resize(image, [8, 8]))
        raise tf.errors.InvalidArgumentError(None, None, "What evaluation ends in.")


@pytest.mark.parametrize(
    ("offset", "first"), [(0, "The first is 3, of"), (1, "The first is 0, of")]
)
def test_labels_are_named_as_they_are_stored(dataset, offset, first):
    with pytest.raises(UserError, match=first):
        with damage.damage_named(dataset):
            raise damage.LabelsOutsideError("No class.", num_classes=3, labels_offset=offset)


def test_other_errors_keep_their_name(dataset):
    with pytest.raises(tf.errors.InvalidArgumentError):
        with damage.damage_named(dataset):
            _read(dataset, lambda image: tf.strings.to_number("x"))
