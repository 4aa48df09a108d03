"""The ranges of weights and activations, and rounding to the 256 steps in them."""

from collections.abc import Sequence

from slim_internal.ground.compat import slim, tf
from slim_internal.parts.checkpoints import latest, restore

# Collections of the variables, and of the operations that make them follow the batches.
VARIABLES = "quantization_ranges"
UPDATES = "quantization_updates"

# The weight of a new batch falls from 0.9 to this: ranges do not lag behind the first steps.
_LEAST_RATE = 0.001
# Ranges are no narrower; a scale of 0 cannot be divided by.
_LEAST_WIDTH = 1e-4
_LEAST_WEIGHT = 1e-7


def variables(name: str) -> tuple[tf.Variable, tf.Variable]:
    """Returns the two ends of a range, scalars; both are 0 as long as it is not known.

    Args:
      name: Name of the range; the variables are `<name>/min` and `<name>/max`.
    """
    outer = tf.get_variable_scope()
    with tf.variable_scope(outer, reuse=tf.AUTO_REUSE, auxiliary_name_scope=False):
        low, high = (
            slim.variable(
                f"{name}/{end}",
                [],
                initializer=tf.zeros_initializer(),
                trainable=False,
                collections=[tf.GraphKeys.GLOBAL_VARIABLES, VARIABLES],
            )
            for end in ("min", "max")
        )
    return low, high


def saved_in(checkpoint_path: str) -> list[tf.Variable]:
    """Returns the variables of the graph's ranges that a checkpoint holds."""
    saved = restore.saved_shapes(latest.find(checkpoint_path))
    return [each for each in tf.get_collection(VARIABLES) if each.op.name in saved]


def known_or_own(low: tf.Tensor, high: tf.Tensor, values: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns a range, or that of the values as long as it is not known."""
    known = tf.less(low, high)
    own = extent([values])
    return tf.where_v2(known, low, own[0]), tf.where_v2(known, high, own[1])


def follow(
    low: tf.Variable,
    high: tf.Variable,
    tensors: Sequence[tf.Tensor],
    step: tf.Tensor,
    after: Sequence[tf.Tensor],
) -> list[tf.Operation]:
    """Returns the updates that make a range follow its tensors.

    It starts as that of the first batch and is a moving average from then on.

    Args:
      low: Its lower end.
      high: Its upper end.
      tensors: What has the range.
      step: Number of steps done.
      after: What has to have been computed from the old range.
    """
    rate = tf.maximum(9.0 / (10.0 + tf.cast(step, tf.float32)), _LEAST_RATE)
    with tf.control_dependencies(after):
        known = tf.less(low, high)
        return [
            tf.assign(end, tf.where_v2(known, end + (value - end) * rate, value)).op
            for end, value in zip((low, high), extent(tensors), strict=True)
        ]


def rounded(tensor: tf.Tensor, low: tf.Tensor, high: tf.Tensor) -> tf.Tensor:
    """Returns a tensor rounded to the 256 steps of a range that includes 0."""
    low = tf.minimum(low, 0.0)
    high = tf.maximum(tf.maximum(high, 0.0), low + _LEAST_WIDTH)
    return tf.quantization.fake_quant_with_min_max_vars(tensor, low, high)


def rounded_weights(weights: tf.Tensor, scope: str, *, depthwise: bool) -> tf.Tensor:
    """Returns weights rounded to 255 steps around 0, whose size each output channel chooses.

    Rounding so commutes with the factor that batch normalization has for each channel: nothing has
    to be folded before.

    Args:
      weights: [..., in, out]; of a depthwise convolution [height, width, channels, multiplier].
      scope: Name scope of their layer.
      depthwise: Whether they are those of a depthwise convolution.
    """
    with tf.name_scope(f"{scope}/"):
        axes = [0, 1] if depthwise else list(range(weights.shape.rank - 1))
        largest = tf.reduce_max(tf.abs(weights), axis=axes, keepdims=True)
        size = tf.maximum(largest, _LEAST_WEIGHT) / 127.0
        # Not fake_quant_with_min_max_vars_per_channel, which takes 20 times as long.
        change = tf.stop_gradient(tf.round(weights / size) * size - weights)
        return tf.identity_n([weights + change, weights], "weights_quant")[0]


def is_rounded_weights(node: tf.NodeDef) -> bool:
    """Returns whether a node has rounded weights as its output and weights as its second input."""
    return node.op == "IdentityN" and "weights_quant" in node.name.rpartition("/")[2]


def extent(tensors: Sequence[tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns minimum and maximum of all tensors together, which gradients do not reach."""
    tensors = [tf.stop_gradient(tensor) for tensor in tensors]
    lows = [tf.reduce_min(tensor) for tensor in tensors]
    highs = [tf.reduce_max(tensor) for tensor in tensors]
    return tf.reduce_min(tf.stack(lows)), tf.reduce_max(tf.stack(highs))
