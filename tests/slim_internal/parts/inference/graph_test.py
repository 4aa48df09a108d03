"""Checkpoints are asked only for variables that the outputs depend on."""

import numpy as np
import pytest

from slim_internal.ground.compat import tf
from slim_internal.ground.errors import UserError
from slim_internal.parts.inference import graph


def _network(images, *, size, classes=3):
    """Builds logits, and beside them a layer named by the size, as Inception's auxiliary head."""
    weights = tf.get_variable("logits/weights", [4, classes], initializer=tf.ones_initializer())
    tf.matmul(images, tf.get_variable(f"aux/conv_{size}", [4, 2]))
    moving = tf.get_variable("aux/moving_mean", [4], trainable=False)
    tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, moving.assign_add(tf.reduce_sum(images, 0)))
    return tf.matmul(images, weights)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("train") / "model.ckpt")
    with tf.Graph().as_default(), tf.Session() as session:
        _network(tf.zeros([2, 4]), size=299)
        session.run(tf.global_variables_initializer())
        return tf.train.Saver().save(session, path)


def test_a_variable_that_is_not_used_may_be_missing(checkpoint):
    with tf.Graph().as_default(), tf.Session() as session:
        logits = _network(tf.ones([2, 4]), size=139)
        assert graph.restore_weights(session, logits, checkpoint) == checkpoint
        np.testing.assert_array_equal(session.run(logits), np.full([2, 3], 4.0))


def test_a_variable_that_is_used_must_fit_and_no_other_is_listed(checkpoint):
    with tf.Graph().as_default(), tf.Session() as session:
        logits = _network(tf.ones([2, 4]), size=139, classes=5)
        with pytest.raises(UserError, match=r"it has 3 classes, the network here 5\.") as caught:
            graph.restore_weights(session, logits, checkpoint)
    assert "aux/moving_mean" not in str(caught.value)
    assert "conv_139" not in str(caught.value)
