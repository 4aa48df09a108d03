"""What is built for a GPU gives the numbers of what TensorFlow builds, and suits its optimizer."""

import collections
import contextlib

import numpy as np
import pytest

from slim_internal.ground.compat import gpu_operations, slim, tf
from slim_internal.parts.input_pipeline import stateless_random
from tests import made_up_gpu


def _as_built():
    return contextlib.nullcontext()


def _network(built, head="VALID"):
    """Builds a head like VGG's, with dropout between convolutions; returns loss and gradients."""
    images = tf.constant(np.random.RandomState(0).rand(3, 9, 9, 2), tf.float32)
    tf.set_random_seed(5)
    with built(), stateless_random.draws(1, tf.constant(7)), tf.device(made_up_gpu.DEVICE):
        net = slim.conv2d(images, 4, 3, padding="VALID", scope="conv1")
        net = slim.dropout(net, 0.5, scope="dropout1")
        net = slim.conv2d(net, 6, 7, padding=head, scope="fc6")
        net = slim.dropout(net, 0.5, scope="dropout6")
        loss = tf.reduce_mean(tf.square(net))
        return [loss, *tf.gradients(loss, tf.trainable_variables())]


def _laid_out(tensors):
    """Returns the operations of a step, by layout, after the pass that chooses cuDNN's."""
    pairs = zip(tensors[1:], tf.trainable_variables(), strict=True)
    step = tf.train.GradientDescentOptimizer(0.1).apply_gradients(pairs)
    graph = made_up_gpu.optimized(step, ["layout"])
    return collections.Counter((node.op, node.attr["data_format"].s) for node in graph.node)


class TestLayout:
    def test_tensorflow_gives_up_on_its_own_dropout(self):
        with tf.Graph().as_default():
            tensors = _network(_as_built)
            with pytest.raises(tf.errors.InvalidArgumentError, match=r"dropout.*SelectV2"):
                _laid_out(tensors)

    def test_turns_all_convolutions_around(self):
        with tf.Graph().as_default():
            found = _laid_out(_network(gpu_operations.fast))
        assert found[("Conv2D", b"NCHW")] == 1  # fc6 is a product.
        assert found[("Conv2DBackpropFilter", b"NCHW")] == 1
        assert found[("BiasAddGrad", b"NCHW")] == 2


@pytest.mark.parametrize("head", ["VALID", "SAME"])
def test_gives_the_same_numbers(head):
    results, ops = [], []
    for built in (_as_built, gpu_operations.fast):
        with (
            tf.Graph().as_default() as graph,
            tf.Session(config=tf.ConfigProto(allow_soft_placement=True)) as session,
        ):
            tensors = _network(built, head)
            session.run(tf.global_variables_initializer())
            results.append(session.run(tensors))
            ops.append(collections.Counter(op.type for op in graph.get_operations()))
    for expected, actual in zip(*results, strict=True):
        assert np.abs(expected).max() > 0
        np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-7)
    assert ops[0]["SelectV2"] >= 2
    assert ops[1]["SelectV2"] == 0
    assert ops[1]["Conv2D"] == (1 if head == "VALID" else 2)


def test_leaves_other_choices_alone():
    with tf.Graph().as_default() as graph, gpu_operations.fast():
        tf.where_v2([True, False], [1.0, 2.0], 0.0)
    assert [op.type for op in graph.get_operations()].count("SelectV2") == 1
