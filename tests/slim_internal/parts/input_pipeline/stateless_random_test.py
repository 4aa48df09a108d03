"""Draws numbers of every kind twice, and compares."""

import numpy as np
import pytest

from slim_internal.ground.compat import slim, tf
from slim_internal.parts.input_pipeline import stateless_random

_IMAGE = np.random.RandomState(0).uniform(0, 1, [20, 20, 3]).astype(np.float32)


def _box():
    begin, size, _ = tf.image.sample_distorted_bounding_box(
        [1000, 1000, 3], tf.zeros([1, 0, 4]), use_image_if_no_bounding_boxes=True
    )
    return tf.concat([begin, size], axis=0)


_KINDS = {
    "uniform": lambda: tf.random.uniform([4], -3.0, 5.0),
    "integers": lambda: tf.random.uniform([4], 0, 1000, tf.int32),
    "normal": lambda: tf.random.normal([4], 7.0),
    "truncated_normal": lambda: tf.random.truncated_normal([4]),
    "box": _box,
    "brightness": lambda: tf.image.random_brightness(_IMAGE, 0.5),
    "crop": lambda: tf.image.random_crop(_IMAGE, [8, 8, 3]),
    "dropout": lambda: slim.dropout(tf.ones([64]), 0.5),
    "in_a_branch": lambda: tf.cond(
        tf.constant(True), lambda: tf.random.uniform([4]), lambda: tf.zeros([4])
    ),
}


def _draw(kind, positions, seed=1, threads=4):
    """Returns what is drawn at each position, in a parallel map."""
    with tf.Graph().as_default(), tf.Session() as session:

        def draw(position):
            with stateless_random.draws(seed, position):
                return _KINDS[kind]()

        numbers = tf.data.Dataset.from_tensor_slices(tf.constant(positions, tf.int64))
        batch = numbers.map(draw, num_parallel_calls=threads).batch(len(positions))
        return session.run(tf.data.make_one_shot_iterator(batch).get_next())


@pytest.mark.parametrize("kind", _KINDS)
def test_draws_depend_on_seed_and_position_alone(kind):
    drawn = _draw(kind, [0, 1, 2, 1])
    np.testing.assert_array_equal(drawn[1], drawn[3])
    assert not np.array_equal(drawn[0], drawn[1])
    np.testing.assert_array_equal(drawn[::-1], _draw(kind, [1, 2, 1, 0], threads=1))
    assert not np.array_equal(drawn, _draw(kind, [0, 1, 2, 1], seed=2))


def test_two_ops_draw_different_numbers():
    with tf.Graph().as_default(), tf.Session() as session:
        with stateless_random.draws(0, tf.constant(0)):
            one, other = session.run([tf.random.uniform([4]), tf.random.uniform([4])])
    assert not np.array_equal(one, other)


@pytest.mark.parametrize(
    ("kind", "mean", "deviation"),
    [
        ("uniform", 1.0, 8 / np.sqrt(12)),
        ("integers", 499.5, 1000 / np.sqrt(12)),
        ("normal", 7.0, 1.0),
        ("truncated_normal", 0.0, 0.8796),
    ],
)
def test_distribution(kind, mean, deviation):
    drawn = _draw(kind, list(range(2500)))
    assert drawn.mean() == pytest.approx(mean, abs=0.05 * deviation)
    assert drawn.std() == pytest.approx(deviation, rel=0.03)


def test_initial_values_do_not_depend_on_the_position():
    def initial(position):
        with tf.Graph().as_default(), tf.Session() as session:
            tf.set_random_seed(5)
            with stateless_random.draws(0, tf.constant(position)):
                variable = tf.get_variable("v", [4], initializer=tf.truncated_normal_initializer())
            session.run(variable.initializer)
            return session.run(variable)

    np.testing.assert_array_equal(initial(0), initial(1))


def test_afterwards_everything_is_as_before():
    with tf.Graph().as_default() as graph:
        with stateless_random.draws(0, tf.constant(0)):
            tf.random.uniform([])
        assert "RandomUniform" not in {op.type for op in graph.get_operations()}
        tf.random.uniform([])
        assert "RandomUniform" in {op.type for op in graph.get_operations()}
