"""What residual networks are made of: blocks of units, and strides that may turn into dilation.

A network for dense prediction wants larger maps than a classifier: from a given output stride on,
units keep their resolution and dilate their kernels instead (atrous convolution, L.-C. Chen et
al., arXiv:1412.7062), so that the same weights see the same things.
"""

import collections
import itertools
import operator

from nets import checks
from slim_internal.ground.compat import slim, tf


class Block(collections.namedtuple("Block", ["scope", "unit_fn", "args"])):
    """Residual units of one stage.

    Attributes:
      scope: Name of the stage.
      unit_fn: Builds a unit: a function of (inputs, rate=..., **args of the unit).
      args: For each unit a dict of its arguments, "stride" among them.
    """


def subsample(inputs, factor, scope=None):
    """Returns every `factor`-th position of a map [batch, h, w, channels]."""
    return inputs if factor == 1 else slim.max_pool2d(inputs, [1, 1], stride=factor, scope=scope)


def conv2d_same(inputs, num_outputs, kernel_size, stride, rate=1, scope=None):
    """Convolves with a padding that does not depend on the size of the map.

    TensorFlow's "SAME" pads an even map by less on the upper left when the stride is 2. Here the
    result equals a convolution of stride 1 followed by `subsample`.

    Args:
      inputs: Tensor [batch, h, w, channels].
      num_outputs: Number of channels of the result.
      kernel_size: Height and width of the kernel.
      stride: Distance of the positions of the result.
      rate: Dilation of the kernel.
      scope: Name of the layer.

    Returns:
      A tensor [batch, ceil(h / stride), ceil(w / stride), num_outputs].
    """
    padding = "SAME"
    if stride > 1:
        padding = "VALID"
        reach = rate * (kernel_size - 1)
        before, after = reach // 2, reach - reach // 2
        inputs = tf.pad(inputs, [[0, 0], [before, after], [before, after], [0, 0]])
    return slim.conv2d(
        inputs, num_outputs, kernel_size, stride=stride, rate=rate, padding=padding, scope=scope
    )


class _Strides:
    """Hands out strides until their product is the output stride, and dilation from then on."""

    def __init__(self, output_stride):
        self._output_stride = output_stride
        self._product = 1
        self._rate = 1

    def spend(self, stride):
        """Returns the stride and the dilation of a step that would have had this stride."""
        if self._product == self._output_stride:
            rate = self._rate
            self._rate *= stride
            return 1, rate
        self._product *= stride
        return stride, 1


def output_strides(blocks, input_stride=1):
    """Returns the output strides that blocks can stop at, for an input of the given stride."""
    strides = (unit.get("stride", 1) for block in blocks for unit in block.args)
    return sorted({*itertools.accumulate(strides, operator.mul, initial=input_stride)})


@slim.add_arg_scope
def stack_blocks_dense(
    net,
    blocks,
    output_stride=None,
    store_non_strided_activations=False,
    outputs_collections=None,
):
    """Applies blocks one after the other.

    Args:
      net: Tensor [batch, h, w, channels].
      blocks: List of `Block`.
      output_stride: Ratio of the size of `net` to that of the result; None takes all strides.
      store_non_strided_activations: Whether a block ends before its last stride is taken, so that
        its end point has the larger map.
      outputs_collections: Collection for the outputs of the blocks.

    Returns:
      The output of the last block, [batch, h / stride, w / stride, channels].

    Raises:
      errors.UserError: if the strides of the blocks do not multiply to `output_stride`.
    """
    if output_stride is not None:
        checks.choice("output_stride", output_stride, output_strides(blocks))
    strides = _Strides(output_stride)
    for block in blocks:
        with tf.variable_scope(block.scope, "block", [net]) as scope:
            late_stride = 1
            for i, unit in enumerate(block.args, start=1):
                unit_stride = unit.get("stride", 1)
                if store_non_strided_activations and i == len(block.args):
                    unit_stride, late_stride = 1, unit_stride
                stride, rate = strides.spend(unit_stride)
                with tf.variable_scope(f"unit_{i}", values=[net]):
                    net = block.unit_fn(net, rate=rate, **{**unit, "stride": stride})
            net = slim.utils.collect_named_outputs(outputs_collections, scope.name, net)
            net = subsample(net, strides.spend(late_stride)[0])
    return net


def resnet_arg_scope(
    weight_decay=0.0001,
    batch_norm_decay=0.997,
    batch_norm_epsilon=1e-5,
    batch_norm_scale=True,
    activation_fn=tf.nn.relu,
    use_batch_norm=True,
    batch_norm_updates_collections=tf.GraphKeys.UPDATE_OPS,
):
    """Returns the arg scope of residual networks.

    Args:
      weight_decay: Factor of the l2 penalty on the weights of convolutions.
      batch_norm_decay: Decay of the moving averages of batch normalization.
      batch_norm_epsilon: What batch normalization adds to the variance.
      batch_norm_scale: Whether batch normalization has a gamma.
      activation_fn: Activation after each convolution.
      use_batch_norm: Whether convolutions are batch normalized.
      batch_norm_updates_collections: Collection for the updates of the moving averages; None
        updates them in place.
    """
    with (
        slim.arg_scope(
            [slim.conv2d],
            weights_regularizer=slim.l2_regularizer(weight_decay),
            weights_initializer=slim.variance_scaling_initializer(),
            activation_fn=activation_fn,
            normalizer_fn=slim.batch_norm if use_batch_norm else None,
        ),
        slim.arg_scope(
            [slim.batch_norm],
            decay=batch_norm_decay,
            epsilon=batch_norm_epsilon,
            scale=batch_norm_scale,
            updates_collections=batch_norm_updates_collections,
        ),
        slim.arg_scope([slim.max_pool2d], padding="SAME") as scope,
    ):
        return scope
