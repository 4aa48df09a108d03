"""Inception v1 for clips: its modules with a time axis, and the table that I3D and S3D-G share.

J. Carreira, A. Zisserman: Quo vadis, action recognition? A new model and the Kinetics dataset,
arXiv:1705.07750. S. Xie, C. Sun, J. Huang, Z. Tu, K. Murphy: Rethinking spatiotemporal feature
learning: speed-accuracy trade-offs in video classification, arXiv:1712.04851.

Names of layers are those of the network for images; "3x3" may have any extent in time.
"""

import functools
from collections.abc import Callable

import numpy as np

from nets import inception_utils
from nets.end_points import Layer, hidden, layer
from nets.inception_modules import Branch, apply_branches
from nets.inception_v1 import WIDTHS
from slim_internal.ground import errors
from slim_internal.ground.compat import slim, tf


def center_initializer():
    """Returns an initializer for temporal kernels that leaves their input as it is.

    It gives weights [time, 1, 1, channels, channels] that are the identity in the middle of the
    time axis and zero elsewhere.

    Raises:
      errors.UserError: from the initializer, for weights of another shape.
    """

    def initialize(shape, dtype=tf.float32, partition_info=None):
        del partition_info
        shape = list(shape)
        if len(shape) != 5 or shape[1:3] != [1, 1] or shape[3] != shape[4]:
            raise errors.UserError(
                "A centred identity has the shape [time, 1, 1, channels, channels]; "
                f"received {shape}."
            )
        weights = np.zeros(shape, dtype=dtype.as_numpy_dtype)
        weights[shape[0] // 2, 0, 0] = np.eye(shape[3])
        return tf.constant(weights, dtype=dtype)

    return initialize


@slim.add_arg_scope
def conv3d_spatiotemporal(
    inputs,
    num_outputs,
    kernel_size,
    stride=1,
    padding="SAME",
    activation_fn=None,
    normalizer_fn=None,
    normalizer_params=None,
    weights_regularizer=None,
    separable=False,
    data_format="NDHWC",
    scope="",
):
    """Convolves over time and space, at once or in two steps.

    Args:
      inputs: Feature map [batch, frames, height, width, channels].
      num_outputs: Channels to give.
      kernel_size: Extent of the kernel in [frames, height, width].
      stride: Step along these axes, one number or three.
      padding: "SAME" or "VALID".
      activation_fn: What follows each convolution.
      normalizer_fn: Normalization in place of biases; in two steps, of the spatial one.
      normalizer_params: Its arguments.
      weights_regularizer: Penalty on the weights of each step.
      separable: Whether a kernel over more than one frame is split into one over space and one
        over time, which starts as the identity and has biases.
      data_format: "NDHWC" or "NCDHW".
      scope: Name of the variable scope.

    Returns:
      A feature map of the same rank.
    """
    conv3d = functools.partial(
        slim.conv3d,
        padding=padding,
        activation_fn=activation_fn,
        weights_regularizer=weights_regularizer,
        data_format=data_format,
    )
    normalization = {"normalizer_fn": normalizer_fn, "normalizer_params": normalizer_params}
    frames, height, width = kernel_size
    if not separable or frames == 1:
        return conv3d(inputs, num_outputs, kernel_size, stride=stride, scope=scope, **normalization)
    step, *steps = [stride] * 3 if isinstance(stride, int) else stride
    net = conv3d(
        inputs, num_outputs, [1, height, width], stride=[1, *steps], scope=scope, **normalization
    )
    return conv3d(
        net,
        num_outputs,
        [frames, 1, 1],
        stride=[step, 1, 1],
        normalizer_fn=None,
        weights_initializer=center_initializer(),
        scope=f"{scope}/temporal",
    )


@slim.add_arg_scope
def inception_block_v1_3d(
    inputs,
    num_outputs_0_0a,
    num_outputs_1_0a,
    num_outputs_1_0b,
    num_outputs_2_0a,
    num_outputs_2_0b,
    num_outputs_3_0b,
    temporal_kernel_size=3,
    self_gating_fn=None,
    data_format="NDHWC",
    scope="",
):
    """Builds an Inception v1 module for clips.

    Args:
      inputs: Feature map [batch, frames, height, width, channels].
      num_outputs_0_0a: Channels of the 1x1 convolution that is a branch of its own.
      num_outputs_1_0a: Channels of the reduction in the second branch.
      num_outputs_1_0b: Channels of the 3x3 convolution after it.
      num_outputs_2_0a: Channels of the reduction in the third branch.
      num_outputs_2_0b: Channels of the 3x3 convolution after it.
      num_outputs_3_0b: Channels of the projection of the pooled input.
      temporal_kernel_size: Frames that the 3x3 convolutions look at.
      self_gating_fn: What the output of each branch goes through, as (net, scope=, data_format=).
      data_format: "NDHWC" or "NCDHW".
      scope: Name of the variable scope.

    Returns:
      The joined outputs of all branches.
    """

    conv3x3 = functools.partial(conv3d_spatiotemporal, kernel_size=[temporal_kernel_size, 3, 3])

    def gated(*rows: Layer) -> Branch:
        if self_gating_fn is None:
            return rows
        return (*rows, hidden(rows[-1].name, self_gating_fn, data_format=data_format))

    branches = (
        gated(layer("Conv2d_0a_1x1", slim.conv3d, num_outputs_0_0a, 1)),
        gated(
            layer("Conv2d_0a_1x1", slim.conv3d, num_outputs_1_0a, 1),
            layer("Conv2d_0b_3x3", conv3x3, num_outputs_1_0b),
        ),
        gated(
            layer("Conv2d_0a_1x1", slim.conv3d, num_outputs_2_0a, 1),
            layer("Conv2d_0b_3x3", conv3x3, num_outputs_2_0b),
        ),
        gated(
            layer("MaxPool_0a_3x3", slim.max_pool3d, 3, stride=1, padding="SAME"),
            layer("Conv2d_0b_1x1", slim.conv3d, num_outputs_3_0b, 1),
        ),
    )
    with slim.arg_scope(
        [slim.conv3d, conv3d_spatiotemporal, slim.max_pool3d], data_format=data_format
    ):
        return apply_branches(inputs, branches, data_format=data_format, scope=scope)


def reduced_kernel_size_3d(input_tensor, kernel_size):
    """Returns a window no larger than the feature map, as far as the map's size is known.

    Args:
      input_tensor: Feature map [batch, frames, height, width, channels].
      kernel_size: Extent of the window in [frames, height, width].
    """
    return inception_utils.reduced_kernel_size(input_tensor, kernel_size)


def clip_layers(
    first_conv: Layer,
    temporal_kernel: Callable[[str], int],
    self_gating: Callable[[str], Callable | None],
    depth: Callable[[int], int],
    data_format: str = "NDHWC",
) -> tuple[Layer, ...]:
    """Returns the table of Inception v1 for clips.

    Args:
      first_conv: The row of "Conv2d_1a_7x7".
      temporal_kernel: From the name of a layer to the frames that its 3x3 convolutions look at.
      self_gating: From the name of a layer to what its outputs go through, or None.
      depth: From the channels of a layer in the paper to those it is built with.
      data_format: "NDHWC" or "NCDHW".
    """

    def module(name):
        return layer(
            name,
            inception_block_v1_3d,
            *map(depth, WIDTHS[name]),
            temporal_kernel_size=temporal_kernel(name),
            self_gating_fn=self_gating(name),
            data_format=data_format,
        )

    def max_pool(name, kernel, stride):
        return layer(
            name, slim.max_pool3d, kernel, stride=stride, padding="SAME", data_format=data_format
        )

    # Frames, height, width and channels of 64 frames of 224 x 224.
    return (
        first_conv,  # 32 x 112 x 112 x 64
        max_pool("MaxPool_2a_3x3", kernel=[1, 3, 3], stride=[1, 2, 2]),  # 32 x 56 x 56 x 64
        layer(
            "Conv2d_2b_1x1", slim.conv3d, depth(64), 1, data_format=data_format
        ),  # 32 x 56 x 56 x 64
        layer(  # 32 x 56 x 56 x 192
            "Conv2d_2c_3x3",
            _gated_conv3x3,
            depth(192),
            temporal_kernel("Conv2d_2c_3x3"),
            self_gating("Conv2d_2c_3x3"),
            data_format=data_format,
        ),
        max_pool("MaxPool_3a_3x3", kernel=[1, 3, 3], stride=[1, 2, 2]),  # 32 x 28 x 28 x 192
        module("Mixed_3b"),  # 32 x 28 x 28 x 256
        module("Mixed_3c"),  # 32 x 28 x 28 x 480
        max_pool("MaxPool_4a_3x3", kernel=[3, 3, 3], stride=2),  # 16 x 14 x 14 x 480
        module("Mixed_4b"),  # 16 x 14 x 14 x 512
        module("Mixed_4c"),  # 16 x 14 x 14 x 512
        module("Mixed_4d"),  # 16 x 14 x 14 x 512
        module("Mixed_4e"),  # 16 x 14 x 14 x 528
        module("Mixed_4f"),  # 16 x 14 x 14 x 832
        max_pool("MaxPool_5a_2x2", kernel=[2, 2, 2], stride=2),  # 8 x 7 x 7 x 832
        module("Mixed_5b"),  # 8 x 7 x 7 x 832
        module("Mixed_5c"),  # 8 x 7 x 7 x 1024
    )


def _gated_conv3x3(net, num_outputs, temporal_kernel_size, self_gating_fn, data_format, scope):
    kernel_size = [temporal_kernel_size, 3, 3]
    net = conv3d_spatiotemporal(net, num_outputs, kernel_size, data_format=data_format, scope=scope)
    if self_gating_fn is None:
        return net
    return self_gating_fn(net, scope=scope, data_format=data_format)


def clip_classifier(
    net,
    end_points,
    num_classes,
    *,
    dropout_keep_prob,
    prediction_fn,
    spatial_squeeze,
):
    """Adds the classifier of I3D and S3D-G.

    Args:
      net: Feature map [batch, frames, height, width, channels].
      end_points: Gets "Logits" and "Predictions".
      num_classes: Number of classes; None or 0 stops after the pooling.
      dropout_keep_prob: Fraction of activations that dropout keeps.
      prediction_fn: Turns logits into predictions.
      spatial_squeeze: Whether to give one prediction for each input, the mean of all positions,
        instead of keeping the axes of height and width.

    Returns:
      Logits [batch, num_classes], the mean over time; or the pooled features
      [batch, frames, h, w, channels] without a classifier.
    """
    with tf.variable_scope("Logits"):
        kernel = reduced_kernel_size_3d(net, [2, 7, 7])
        net = slim.avg_pool3d(net, kernel, stride=1, scope="AvgPool_0a_7x7")
        if not num_classes:
            return net
        net = slim.dropout(net, dropout_keep_prob, scope="Dropout_0b")
        logits = slim.conv3d(
            net, num_classes, 1, activation_fn=None, normalizer_fn=None, scope="Conv2d_0c_1x1"
        )
        logits = tf.reduce_mean(logits, axis=1)
        if spatial_squeeze:
            logits = inception_utils.drop_positions(logits)
    end_points["Logits"] = logits
    end_points["Predictions"] = prediction_fn(logits, scope="Predictions")
    return logits


def clip_arg_scope(weight_decay, batch_norm_decay, batch_norm_epsilon, separable, use_renorm=False):
    """Returns the arg scope of networks for clips.

    Args:
      weight_decay: Factor of the l2 penalty on all weights.
      batch_norm_decay: Fraction of the moving averages that one step keeps.
      batch_norm_epsilon: What is added to the variance before dividing by its root.
      separable: Whether convolutions over time and space are split into two steps.
      use_renorm: Whether batch normalization is corrected towards the moving averages.
    """
    normalization = {
        "decay": batch_norm_decay,
        "epsilon": batch_norm_epsilon,
        "fused": False,  # The fused operation takes no time axis.
        "renorm": use_renorm,
        "variables_collections": {
            "moving_mean": ["moving_vars"],
            "moving_variance": ["moving_vars"],
        },
    }
    with slim.arg_scope(
        [slim.conv3d, conv3d_spatiotemporal],
        weights_regularizer=slim.l2_regularizer(weight_decay),
        activation_fn=tf.nn.relu,
        normalizer_fn=slim.batch_norm,
        normalizer_params=normalization,
    ):
        with slim.arg_scope([conv3d_spatiotemporal], separable=separable) as scope:
            return scope
