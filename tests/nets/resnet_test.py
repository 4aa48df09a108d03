"""Strides, dilation and padding of residual networks, by numbers worked out by hand."""

import numpy as np
import pytest

from nets import resnet_utils, resnet_v1, resnet_v2
from slim_internal.ground import errors
from slim_internal.ground.compat import slim, tf


@pytest.fixture(autouse=True)
def fresh_graph():
    with tf.Graph().as_default() as graph:
        yield graph


def evaluate(tensor):
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        return session.run(tensor)


def ramp(size):
    """Returns [1, size, size, 1] with row + column at each position."""
    positions = np.arange(size, dtype=np.float32)
    return tf.constant((positions[:, np.newaxis] + positions)[np.newaxis, :, :, np.newaxis])


def test_subsample():
    output = resnet_utils.subsample(tf.reshape(tf.range(9.0), [1, 3, 3, 1]), 2)
    np.testing.assert_array_equal(evaluate(output)[0, :, :, 0], [[0, 2], [6, 8]])


@pytest.mark.parametrize("size", [4, 5])
def test_conv2d_same_equals_subsampled_convolution(size):
    """TensorFlow's own padding would differ for an even size."""
    with slim.arg_scope([slim.conv2d], weights_initializer=tf.ones_initializer()):
        strided = resnet_utils.conv2d_same(ramp(size), 1, 3, stride=2, scope="conv")
        with tf.variable_scope(tf.get_variable_scope(), reuse=True):
            dense = resnet_utils.conv2d_same(ramp(size), 1, 3, stride=1, scope="conv")
    strided, dense = evaluate([strided, dense])
    np.testing.assert_allclose(strided, dense[:, ::2, ::2], rtol=1e-5)


def test_conv2d_same_by_hand():
    with slim.arg_scope([slim.conv2d], weights_initializer=tf.ones_initializer()):
        output = resnet_utils.conv2d_same(ramp(4), 1, 3, stride=2, scope="conv")
    # Sums of row + column over the 3 x 3 positions around (0, 0), (0, 2), (2, 0), (2, 2).
    np.testing.assert_array_equal(evaluate(output)[0, :, :, 0], [[4, 15], [15, 36]])


@pytest.mark.parametrize(
    ("build", "block"),
    [
        (resnet_v1.resnet_v1, resnet_v1.resnet_v1_block),
        (resnet_v2.resnet_v2, resnet_v2.resnet_v2_block),
    ],
    ids=["v1", "v2"],
)
@pytest.mark.parametrize("output_stride", [4, 8, 16, 32])
def test_dilation_keeps_the_features(build, block, output_stride):
    """Dilated features, subsampled, are those of the strided network."""
    blocks = [block("a", 1, 2, 2), block("b", 2, 2, 2), block("c", 4, 2, 2)]
    images = tf.constant(np.random.RandomState(0).uniform(-1, 1, [1, 65, 65, 3]), tf.float32)
    with slim.arg_scope(resnet_utils.resnet_arg_scope()):
        dense, _ = build(
            images,
            blocks,
            is_training=False,
            global_pool=False,
            output_stride=output_stride,
            scope="resnet",
        )
        nominal, _ = build(
            images, blocks, is_training=False, global_pool=False, scope="resnet", reuse=True
        )
    dense, nominal = evaluate([resnet_utils.subsample(dense, 32 // output_stride), nominal])
    np.testing.assert_allclose(dense, nominal, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("output_stride", [2, 12, 64])
def test_unreachable_output_stride(output_stride):
    with pytest.raises(errors.UserError, match=r"output_stride.*Allowed: 4, 8, 16, 32\."):
        resnet_v2.resnet_v2_50(tf.zeros([1, 65, 65, 3]), output_stride=output_stride)


def test_stored_activations_are_larger():
    with slim.arg_scope(resnet_utils.resnet_arg_scope()):
        _, end_points = resnet_v1.resnet_v1_50(
            tf.zeros([1, 64, 64, 3]), store_non_strided_activations=True
        )
    sizes = [end_points[f"resnet_v1_50/block{i}"].shape[1] for i in (1, 2, 3, 4)]
    assert sizes == [16, 8, 4, 2]


@pytest.mark.parametrize("depth_multiplier", [0, -0.5])
def test_depth_multiplier_must_be_positive(depth_multiplier):
    with pytest.raises(errors.UserError, match="greater than zero"):
        resnet_v1.resnet_v1_50(tf.zeros([1, 64, 64, 3]), depth_multiplier=depth_multiplier)


def test_bounded_activations():
    with slim.arg_scope(resnet_utils.resnet_arg_scope()):
        output = resnet_v1.bottleneck(
            100 * tf.ones([1, 4, 4, 8]), 8, 2, stride=1, use_bounded_activations=True
        )
    assert evaluate(output).max() <= 6


@pytest.mark.parametrize("depth", [8, 12], ids=["identity", "convolution"])
def test_bounded_activations_bound_both_sides_of_the_sum(depth):
    """Eight bits have to hold the shortcut and the residual, not only their sum."""
    arguments = {"stride": 1, "use_bounded_activations": True, "scope": "unit"}
    with slim.arg_scope(resnet_utils.resnet_arg_scope(use_batch_norm=False)):
        resnet_v1.bottleneck(tf.random_uniform([1, 4, 4, 8], -100, 100), depth, 2, **arguments)
    (addition,) = [op for op in tf.get_default_graph().get_operations() if op.name == "unit/add"]
    shortcut, residual = evaluate([*addition.inputs])
    assert np.abs(residual).max() <= 6
    if depth != 8:  # The input itself is what the unit before has bounded.
        assert shortcut.min() >= 0
        assert shortcut.max() <= 6


def test_several_predictions_cannot_be_squeezed():
    with pytest.raises(errors.UserError, match=r"2x2 predictions.*global_pool=True"):
        resnet_v1.resnet_v1_50(tf.zeros([1, 64, 64, 3]), num_classes=10, global_pool=False)
