"""Damages data files and reads them."""

import pathlib

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


def test_a_gif_where_the_original_reads_none_is_named(tmp_path):
    """Its decoder makes a clip of it."""
    images = [
        fake_data.encoded(fake_data.picture(np.random.RandomState(1), 20, 24), kind)
        for kind in ("JPEG", "GIF")
    ]
    records = [example.image_example(data, b"jpg", 20, 24, 0) for data in images]
    path = tmp_path / "flowers_train_00000-of-00001.tfrecord"
    tfrecords.write_shard(path, records)
    dataset = dataset_factory.get_dataset("flowers", "train", str(tmp_path))
    with pytest.raises(UserError, match=f"Record 1 .* of {path} is damaged: its image is a GIF"):
        with damage.damage_named(dataset):
            _read(dataset, lambda image: tf.image.resize(image, [8, 8]))


def test_a_file_that_is_gone_is_named(dataset):
    path = pathlib.Path(dataset.data_sources.replace("*", "1"))
    with pytest.raises(UserError, match=f"{path} was removed or renamed while it was being read"):
        with damage.damage_named(dataset):
            _read(dataset, before=path.unlink)


def test_a_missing_file_of_another_kind_keeps_its_error(dataset):
    with pytest.raises(tf.errors.NotFoundError):
        with damage.damage_named(dataset):
            raise tf.errors.NotFoundError(None, None, "a checkpoint")


def test_other_errors_keep_their_name(dataset):
    with pytest.raises(tf.errors.InvalidArgumentError):
        with damage.damage_named(dataset):
            _read(dataset, lambda image: tf.strings.to_number("x"))
