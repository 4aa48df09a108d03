"""Rewrites a network so that it rounds as 8-bit arithmetic does."""

import functools
from collections.abc import Callable, Collection

from slim_internal.ground.compat import rewiring, tf
from slim_internal.parts.quantization import layout, ranges

Rounding = Callable[[], tf.Tensor]


def train(images: tf.Tensor, logits: tf.Tensor, delay: int, step: tf.Tensor) -> tf.Tensor:
    """Makes a network of training round its weights and activations; call it before gradients.

    Gradients pass through rounding as if it were not there, and end outside of a range. The ranges
    follow the batches where the network makes its variables; a tower that reuses them (a further
    clone, an evaluation) reads them only.

    Args:
      images: What the network reads, float32 [batch, height, width, channels].
      logits: What it says, float32 [batch, num_classes].
      delay: Number of steps before which nothing is rounded; ranges follow the batches all along.
      step: Number of steps done.

    Returns:
      The logits, to be used instead.

    Raises:
      UserError: If the network has operations that this is not done for.
    """

    def delayed(tensor: tf.Tensor, rounding: Rounding) -> tf.Tensor:
        if delay <= 0:
            return rounding()
        return tf.cond(step >= delay, rounding, lambda: tf.identity(tensor))

    found = layout.find(images, logits)
    _round_weights(found, delayed)
    for name, tensors in found.groups.items():
        low, high = ranges.variables(name)
        results = []
        for tensor in tensors:
            ends = ranges.known_or_own(low, high, tensor)
            result = delayed(tensor, lambda x=tensor, e=ends: ranges.rounded(x, *e))
            results.append(result)
            rewiring.redirect(found.consumers.get(tensor.name, ()), tensor, result)
            logits = result if tensor is logits else logits
        if not tf.get_variable_scope().reuse:
            for update in ranges.follow(low, high, tensors, step, results):
                tf.add_to_collection(ranges.UPDATES, update)
    return logits


def infer(
    images: tf.Tensor, logits: tf.Tensor, known: Collection[str] | None = None
) -> tuple[tf.Tensor, list[str]]:
    """Makes a network of inference round its weights, and the activations whose ranges are known.

    Args:
      images: What the network reads, float32 [batch, height, width, channels].
      logits: What it says, float32 [batch, num_classes].
      known: Names of the variables that a checkpoint holds; None if it holds all.

    Returns:
      The logits, to be used instead, and the names of the ranges that are not known.

    Raises:
      UserError: If the network has operations that this is not done for.
    """
    found = layout.find(images, logits)
    _round_weights(found, lambda tensor, rounding: rounding())
    unknown = []
    for name, tensors in found.groups.items():
        if known is not None and not {f"{name}/min", f"{name}/max"} <= set(known):
            unknown.append(name)
            continue
        low, high = ranges.variables(name)
        for tensor in tensors:
            result = ranges.rounded(tensor, low, high)
            rewiring.redirect(found.consumers.get(tensor.name, ()), tensor, result)
            logits = result if tensor is logits else logits
    _make_layers(found)
    return logits, unknown


def measure(images: tf.Tensor, logits: tf.Tensor) -> dict[str, tuple[tf.Tensor, tf.Tensor]]:
    """Returns tensors with the extent of a batch, by the names of the ranges.

    What comes before is rounded: to the ranges that are known, the others to those of the batch.

    Args:
      images: What the network reads, float32 [batch, height, width, channels].
      logits: What it says, float32 [batch, num_classes].
    """
    found = layout.find(images, logits)
    _round_weights(found, lambda tensor, rounding: rounding())
    extents = {}
    for name, tensors in found.groups.items():
        low, high = ranges.variables(name)
        extents[name] = ranges.extent(tensors)
        for tensor in tensors:
            result = ranges.rounded(tensor, *ranges.known_or_own(low, high, tensor))
            rewiring.redirect(found.consumers.get(tensor.name, ()), tensor, result)
    return extents


def without_rounded_weights(graph_def: tf.GraphDef) -> tf.GraphDef:
    """Returns a graph that rounds its activations only.

    Converters round weights by themselves, and fail where it was done before.
    """
    sources = {
        node.name: node.input[1] for node in graph_def.node if ranges.is_rounded_weights(node)
    }
    copy = tf.GraphDef()
    copy.CopyFrom(graph_def)
    for node in copy.node:
        for index, name in enumerate(node.input):
            node.input[index] = sources.get(name, name)
    return copy


def _round_weights(found: layout.Layout, apply) -> None:
    for operation in found.layers:
        weights = operation.inputs[1]
        rounding = functools.partial(
            ranges.rounded_weights,
            weights,
            operation.name.rpartition("/")[0],
            depthwise=operation.type == "DepthwiseConv2dNative",
        )
        rewiring.replace_input(operation, 1, apply(weights, rounding))


def _make_layers(found: layout.Layout) -> None:
    """Puts a convolution by 1 before each batch normalization that follows no layer.

    Converters then compute both as one layer, whose values in between are not rounded.
    """
    for operation in found.norms:
        source = operation.inputs[0]
        ones = tf.ones([1, 1, source.shape.as_list()[-1], 1])
        rewiring.replace_input(
            operation, 0, tf.nn.depthwise_conv2d(source, ones, [1, 1, 1, 1], "VALID")
        )
