"""Follows the moving mean of one channel by hand."""

import pytest

from slim_internal.ground.compat import slim, tf
from slim_internal.programs.training import statistics


def _moving_mean(values, decay, own_rate=None, first_step=0):
    """Returns the moving mean after batches of one value each."""
    with tf.Graph().as_default() as graph, tf.Session() as session:
        value = tf.placeholder(tf.float32, [])
        step = tf.placeholder(tf.int64, [])
        slim.batch_norm(tf.fill([2, 3, 3, 1], value), decay=decay, is_training=True)
        updates = statistics.follow(
            tf.get_collection(tf.GraphKeys.UPDATE_OPS), statistics.rising_rate(step), own_rate
        )
        assert len(updates) == 2
        session.run(tf.global_variables_initializer())
        for number, batch in enumerate(values, first_step):
            session.run(updates, {value: batch, step: number})
        (mean,) = [v for v in graph.get_collection("variables") if "moving_mean" in v.op.name]
        return session.run(mean).item()


def test_first_steps_follow_the_batches():
    expected = 299 / 300 * 5.0  # Decay 1/300 at first, then 2/301.
    assert _moving_mean([5.0], 0.9997) == pytest.approx(expected, rel=1e-6)
    expected = 2 / 301 * expected + 299 / 301 * 7.0
    assert _moving_mean([5.0, 7.0], 0.9997) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("decay", [0.9, 0.99, 0.9997])
def test_nothing_is_left_of_the_initial_values_after_50_steps(decay):
    assert _moving_mean([5.0] * 50, decay) == pytest.approx(5.0, rel=1e-4)


def test_ends_at_the_decay_of_the_network():
    assert _moving_mean([1.0], 0.75, first_step=10**6) == pytest.approx(0.25)


def test_ends_at_the_decay_that_is_asked_for():
    assert _moving_mean([1.0], 0.75, own_rate=0.125, first_step=10**6) == pytest.approx(0.125)


def test_other_updates_are_left_as_they_are():
    with tf.Graph().as_default():
        counter = tf.get_variable("counter", [], tf.int32)
        update = tf.assign_add(counter, 1).op
        assert statistics.follow([update], tf.constant(0.5)) == [update]
