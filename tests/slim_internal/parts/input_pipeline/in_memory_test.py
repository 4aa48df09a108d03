"""Compares training on images in memory with training on files."""

import logging
import pathlib

import numpy as np
import pytest

from preprocessing import preprocessing_factory
from slim_internal.ground.compat import tf
from slim_internal.parts.input_pipeline import batches as input_pipeline
from slim_internal.parts.input_pipeline import class_balance, in_memory
from tests.slim_internal.parts.input_pipeline import photos
from tests.slim_internal.programs.training import tiny_dataset


def _load(dataset, preprocess, max_mb=64):
    return in_memory.load(dataset, preprocess, max_mb=max_mb, num_threads=2)


def _train(dataset, preprocess, count, **kwargs):
    with tf.Graph().as_default():
        batches = input_pipeline.training_batches(dataset, preprocess, seed=3, **kwargs)
        batch = tf.data.make_one_shot_iterator(batches).get_next()
        shapes = {name: value.shape.as_list() for name, value in batch.items()}
        with tf.Session() as session:
            return [session.run(batch) for _ in range(count)], shapes


def _compare(dataset, preprocess, count, **kwargs):
    """Requires that both ways give the same, to the last bit; returns what is in memory."""
    kept = _load(dataset, preprocess)
    expected, shapes = _train(dataset, preprocess, count, **kwargs)
    got, kept_shapes = _train(dataset, preprocess, count, kept=kept, **kwargs)
    assert kept_shapes == shapes
    for one, other in zip(expected, got, strict=True):
        np.testing.assert_array_equal(one["label"], other["label"])
        np.testing.assert_array_equal(one["image"], other["image"])
    return kept


def _as_floats(image):
    return tf.cast(image, tf.float32) / 255


def _at_random(image):
    return tf.image.random_brightness(_as_floats(image), 0.5)


@pytest.mark.parametrize(
    "kwargs", [{}, {"first_batch": 4, "num_readers": 2}, {"first_batch": 2, "part": (1, 2)}]
)
@pytest.mark.parametrize("preprocess", [_as_floats, _at_random])
def test_batches_are_the_same(tmp_path, preprocess, kwargs):
    dataset = tiny_dataset.write(str(tmp_path), 25)
    kept = _compare(dataset, preprocess, 5, batch_size=10, **kwargs)
    assert (kept.decoded is None) == (preprocess is _as_floats)
    assert kept.counts.tolist() == [9, 8, 8]


def test_files_are_read_once(tmp_path):
    dataset = tiny_dataset.write(str(tmp_path), 25)
    kept = _load(dataset, _as_floats)
    for path in tmp_path.iterdir():
        path.write_bytes(b"\0" * path.stat().st_size)
    batches, _ = _train(dataset, _as_floats, 5, batch_size=5, kept=kept)
    assert sorted(np.concatenate([batch["label"] for batch in batches])) == list(range(25))


@pytest.mark.parametrize("preprocessing", ["inception", "vgg"])
def test_photos_of_all_kinds_are_prepared_alike(tmp_path, preprocessing):
    preprocess = preprocessing_factory.get_preprocessing(preprocessing, is_training=True)
    prepare = preprocessing_factory.sized(preprocess, 64, 48)
    _compare(photos.write(tmp_path), prepare, 2, batch_size=20)


def test_classes_are_shown_alike(tmp_path):
    dataset = tiny_dataset.write(str(tmp_path), 25, num_classes=4)
    counts = class_balance.counts(dataset, "--balanced_sampling")
    kwargs = {"batch_size": 8, "first_batch": 2, "class_counts": counts}
    _compare(dataset, _at_random, 6, **kwargs)


@pytest.mark.parametrize(("num_classes", "max_mb", "fits"), [(None, 1, False), (4, 2, True)])
def test_what_is_too_large_is_said(tmp_path, caplog, num_classes, max_mb, fits):
    dataset = tiny_dataset.write(str(tmp_path), 400, num_classes=num_classes)  # 1.25 MB of floats.
    assert bool(_load(dataset, _as_floats, max_mb)) == fits
    images = tf.TensorSpec([None, 28, 28, 1], tf.float32)
    files = sum(path.stat().st_size for path in pathlib.Path(tmp_path).iterdir())
    assert files < 200_000
    assert in_memory.bears(dataset, images, max_mb) == fits
    messages = [each.message for each in caplog.records if each.levelno == logging.WARNING]
    assert len(messages) == 2 * (not fits)
    for message in messages:
        assert message.startswith("--cache: 400 images take about 1.")
        assert "more than --cache_mb=1; they are read from their files" in message
