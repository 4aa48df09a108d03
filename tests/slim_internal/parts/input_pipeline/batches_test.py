"""Counts examples through the pipelines and damages their files."""

import itertools

import numpy as np
import pytest

from slim_internal.ground.compat import slim, tf
from slim_internal.ground.errors import UserError
from slim_internal.parts.input_pipeline import batches as input_pipeline
from tests.slim_internal.programs.training import tiny_dataset


@pytest.fixture
def dataset(tmp_path):
    return tiny_dataset.write(str(tmp_path), 25)


def _batches(batches, count=None):
    """Returns the first batches, or all of them."""
    next_batch = tf.data.make_one_shot_iterator(batches).get_next()
    results = []
    with tf.Session() as session:
        for _ in itertools.count() if count is None else range(count):
            try:
                results.append(session.run(next_batch))
            except tf.errors.OutOfRangeError:
                break
    return results


def _train(dataset, count, preprocess=lambda image: image, graph_seed=None, **kwargs):
    with tf.Graph().as_default():
        tf.set_random_seed(graph_seed)
        kwargs = {"batch_size": 10, "seed": 1, **kwargs}
        return _batches(input_pipeline.training_batches(dataset, preprocess, **kwargs), count)


def _labels(batches):
    return np.concatenate([batch["label"] for batch in batches]).tolist()


def test_each_epoch_has_each_example_once_in_its_own_order(dataset):
    labels = _labels(_train(dataset, 5))
    first, second = labels[:25], labels[25:]
    assert sorted(first) == sorted(second) == list(range(25))
    assert first != second != list(range(25)) != first


def test_picture_and_label_stay_together(dataset):
    for batch in _train(dataset, 3):
        assert batch["image"].shape == (10, 28, 28, 1)
        np.testing.assert_array_equal(batch["image"][:, 0, 0, 0], batch["label"])


def test_order_depends_on_the_seed_alone(dataset):
    labels = _labels(_train(dataset, 5))
    assert labels == _labels(_train(dataset, 5, num_threads=1))
    assert labels == _labels(_train(dataset, 5, graph_seed=3))
    assert labels != _labels(_train(dataset, 5, seed=2))


@pytest.mark.parametrize("first_batch", [0, 4])
def test_numbers_of_examples_come_in_the_order_of_the_examples(dataset, first_batch):
    batches = _train(dataset, 6, num_readers=2, first_batch=first_batch)
    with tf.Graph().as_default():
        indices = input_pipeline.training_indices(
            [9, 8, 8], batch_size=10, seed=1, first_batch=first_batch, num_readers=2, num_draws=2
        )
        numbers = np.concatenate(_batches(indices, 6))
        (numbered,) = _batches(
            input_pipeline.numbered_batches(
                dataset, lambda image: image, batch_size=50, seed=1, num_draws=2
            ),
            1,
        )
    assert numbered["label"][numbers].tolist() == _labels(batches)
    epochs = np.arange(10 * first_batch, 10 * first_batch + 60) // 25
    np.testing.assert_array_equal(numbers // 25, epochs % 2)


def _at_random(image):
    image = tf.image.random_brightness(tf.cast(image, tf.float32), 50.0)
    return tf.cond(tf.random.uniform([]) < 0.5, lambda: -image, lambda: image)


@pytest.mark.parametrize("first_batch", [1, 3, 7])
@pytest.mark.parametrize("preprocess", [lambda image: image, _at_random], ids=["plain", "random"])
def test_resuming_continues_where_the_straight_run_was(dataset, preprocess, first_batch):
    straight = _train(dataset, 10, preprocess)
    resumed = _train(dataset, 10 - first_batch, preprocess, first_batch=first_batch)
    for expected, got in zip(straight[first_batch:], resumed, strict=True):
        np.testing.assert_array_equal(expected["label"], got["label"])
        np.testing.assert_array_equal(expected["image"], got["image"])


def test_random_preprocessing_differs_between_examples_and_epochs(dataset):
    images = np.concatenate([batch["image"] for batch in _train(dataset, 5, _at_random)])
    assert len(np.unique(images[:, 0, 0, 0])) == 50


@pytest.mark.parametrize("batch_size", [1, 7, 25, 40])
def test_evaluation_sees_each_example_exactly_once(dataset, batch_size):
    batches = _batches(
        input_pipeline.evaluation_batches(dataset, lambda image: image, batch_size=batch_size)
    )
    assert sorted(_labels(batches)) == list(range(25))
    assert len(batches) == -(-25 // batch_size)


def test_evaluation_returns_the_items_asked_for(dataset):
    dataset.decoder._items_to_handlers["name"] = slim.tfexample_decoder.Tensor("image/format")
    batches = _batches(
        input_pipeline.evaluation_batches(
            dataset, lambda image: image, batch_size=25, items=["label", "name"]
        )
    )
    assert set(batches[0]) == {"image", "label", "name"}
    assert set(batches[0]["name"]) == {b"png"}


def test_empty_files_are_refused_instead_of_waited_for(dataset, tmp_path):
    for path in tmp_path.iterdir():
        path.write_bytes(b"")
    with pytest.raises(UserError, match="data files are empty"):
        _train(dataset, 1)
