"""What a network costs, counted on its graph: parameters and multiply-adds."""

import math

from nets import nets_factory
from nets.network import Network
from slim_internal.ground.compat import tf

_CONVOLUTIONS = ("Conv2D", "Conv3D")


def of_network(network: Network, **kwargs) -> tuple[int, int]:
    """Returns the parameters and multiply-adds of classifying one image or clip.

    Auxiliary heads, which only training needs, do not count; nor do the moving averages of batch
    normalization.

    Args:
      network: The network, at its default image size.
      **kwargs: Further arguments of the network function.
    """
    size = network.default_image_size
    frames = [] if network.num_frames is None else [network.num_frames]
    network_fn = nets_factory.get_network_fn(network.name, network.num_classes)
    with tf.Graph().as_default() as graph:
        images = tf.placeholder(tf.float32, [1, *frames, size, size, network.channels])
        network_fn(images, **kwargs)
        return num_parameters(network.aux_scopes), multiply_adds(graph, network.aux_scopes)


def num_parameters(without_scopes: tuple[str, ...] = ()) -> int:
    """Returns the number of elements of the trainable variables outside some scopes."""
    return sum(
        variable.shape.num_elements()
        for variable in tf.trainable_variables()
        if not _is_in(variable.op.name, without_scopes)
    )


def multiply_adds(graph: tf.Graph, without_scopes: tuple[str, ...] = ()) -> int:
    """Returns how often convolutions and matrix products multiply and add.

    Args:
      graph: A graph whose shapes are known, for one image.
      without_scopes: Scopes that do not count.
    """
    operations = (op for op in graph.get_operations() if not _is_in(op.name, without_scopes))
    return sum(_outputs(op) * _products_per_output(op) for op in operations)


def _is_in(name: str, scopes: tuple[str, ...]) -> bool:
    return name.startswith(tuple(f"{scope}/" for scope in scopes))


def _outputs(op: tf.Operation) -> int:
    return op.outputs[0].shape.num_elements() if _products_per_output(op) else 0


def _products_per_output(op: tf.Operation) -> int:
    """Returns how many products are summed up in each value of the result."""
    if op.type in _CONVOLUTIONS:  # Kernel [..., channels, outputs].
        return math.prod(op.inputs[1].shape.as_list()[:-1])
    if op.type == "DepthwiseConv2dNative":  # Kernel [height, width, channels, multiplier].
        return math.prod(op.inputs[1].shape.as_list()[:2])
    if op.type == "MatMul":
        return op.inputs[0].shape.as_list()[0 if op.get_attr("transpose_a") else 1]
    return 0
