"""Takes a graph with its weights elsewhere, batch normalization folded into the convolution before.

With fixed statistics it multiplies each channel and adds to it (arXiv:1712.05877, section 3.2),
which the weights of the convolution and a bias do as well. One that follows no convolution (ResNet
v2) or is not fused (clips) stays as it is.

Weights stand beside the graph until they go into it, once: a graph that holds half a gigabyte would
be copied by each of these steps. They become constants of a file (`insert`), or variables where the
network runs at once (`add`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from slim_internal.ground.compat import tf

_CONVOLUTIONS = ("Conv2D", "DepthwiseConv2dNative")
_BATCH_NORMS = ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
_VARIABLE = "VariableV2"


def taken(session: tf.Session, output: str) -> tuple[tf.GraphDef, dict[str, np.ndarray]]:
    """Returns what a session computes an output by.

    Args:
      session: Its graph has the operation, and the variables that lead to it have their values.
      output: Name of the operation.

    Returns:
      The graph without what the output does not need, and the values of its variables by their
      names.
    """
    graph_def = tf.graph_util.extract_sub_graph(session.graph.as_graph_def(), [output])
    names = [node.name for node in graph_def.node if node.op == _VARIABLE]
    return graph_def, session.run({name: f"{name}:0" for name in names})


def insert(graph_def: tf.GraphDef, values: dict[str, np.ndarray]) -> None:
    """Makes constants of the variables of a graph.

    Args:
      graph_def: The graph, which is changed.
      values: Their values by their names; empty afterwards, so that nothing is held twice.
    """
    for node, array in _turned_into("Const", graph_def, values):
        node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(array))


def add(
    graph_def: tf.GraphDef,
    values: dict[str, np.ndarray],
    inputs: Mapping[str, tf.Tensor],
    outputs: Sequence[str],
) -> tuple[list[tf.Tensor], Callable[[tf.Session], None]]:
    """Adds a graph to the current one, with variables of its own.

    Args:
      graph_def: The graph, which is changed.
      values: The values of its variables by their names; empty afterwards.
      inputs: What takes the place of some of its tensors, by their names.
      outputs: Names of tensors.

    Returns:
      These tensors, and a function of a session that gives the variables their values, once.
    """
    mapped, feeds, initializers = dict(inputs), {}, []
    # Placeholders for the time being: variables take their place.
    for node, array in _turned_into("Placeholder", graph_def, values):
        value = tf.placeholder(array.dtype, array.shape)
        variable = tf.Variable(value, trainable=False, name="folded")
        initializers.append(variable.initializer)
        feeds[value] = array
        mapped[f"{node.name}:0"] = variable.value()

    def initialize(session: tf.Session) -> None:
        session.run(initializers, feeds)
        feeds.clear()  # Held by the session now.

    return tf.import_graph_def(graph_def, mapped, outputs, name="folded"), initialize


def _turned_into(
    kind: str, graph_def: tf.GraphDef, values: dict[str, np.ndarray]
) -> Iterator[tuple[tf.NodeDef, np.ndarray]]:
    """Turns the variables of a graph into other operations; yields each and its value.

    The values are empty afterwards.
    """
    for node in graph_def.node:
        if node.op == _VARIABLE:
            array = values.pop(node.name)
            node.op = kind
            node.ClearField("attr")
            node.attr["dtype"].type = tf.as_dtype(array.dtype).as_datatype_enum
            yield node, array
    values.clear()


def fold(graph_def: tf.GraphDef, values: dict[str, np.ndarray], output: str) -> tf.GraphDef:
    """Returns a graph without the batch norms that can be folded.

    The operations keep their names: a batch norm becomes the addition of a bias.

    Args:
      graph_def: A graph for inference, as `taken` returns it.
      values: The values of its variables by their names; those of folded ones are added.
      output: Name of the operation that it is for.
    """
    nodes = {node.name: node for node in graph_def.node}
    consumers: dict[str, int] = {}
    for node in graph_def.node:
        for name in node.input:
            consumers[_operation(name)] = consumers.get(_operation(name), 0) + 1
    folded = tf.GraphDef(versions=graph_def.versions)
    for node in graph_def.node:
        convolution = nodes.get(_operation(node.input[0])) if node.op in _BATCH_NORMS else None
        if convolution is None or convolution.op not in _CONVOLUTIONS:
            folded.node.add().CopyFrom(node)
            continue
        arrays = [
            _constant(nodes, values, name) for name in (convolution.input[1], *node.input[1:])
        ]
        used_elsewhere = consumers[convolution.name] > 1
        if used_elsewhere or node.attr["is_training"].b or any(each is None for each in arrays):
            folded.node.add().CopyFrom(node)
            continue
        merged = _merged(convolution.op, arrays, node.attr["epsilon"].f)
        values |= _add(folded, node, convolution, *merged)
    return tf.graph_util.extract_sub_graph(folded, [output])


def _operation(tensor: str) -> str:
    return tensor.removeprefix("^").partition(":")[0]


def _constant(
    nodes: Mapping[str, tf.NodeDef], values: Mapping[str, np.ndarray], tensor: str
) -> np.ndarray | None:
    """Returns the float32 value of a tensor that is a variable or constant, else None."""
    node = nodes[_operation(tensor)]
    while node.op == "Identity":
        node = nodes[_operation(node.input[0])]
    if node.name in values:
        return values[node.name]
    if node.op != "Const" or node.attr["dtype"].type != tf.float32.as_datatype_enum:
        return None
    return tf.make_ndarray(node.attr["value"].tensor)


def _merged(kind: str, arrays: list[np.ndarray], epsilon: float) -> tuple[np.ndarray, np.ndarray]:
    """Returns weights and bias that do what convolution and batch norm do.

    Args:
      kind: Operation of the convolution.
      arrays: Its weights [height, width, in, out] (depthwise: [height, width, in, multiplier]);
        gamma, beta, mean and variance, each [channels of the output].
      epsilon: What is added to the variance.
    """
    weights, gamma, beta, mean, variance = (array.astype(np.float64) for array in arrays)
    with np.errstate(all="ignore"):  # What is not finite shows in the outputs, which are checked.
        factor = gamma / np.sqrt(variance + epsilon)
        bias = beta - mean * factor
        if kind == "DepthwiseConv2dNative":
            factor = factor.reshape(weights.shape[2:])
        return (weights * factor).astype(np.float32), bias.astype(np.float32)


def _add(
    graph_def: tf.GraphDef,
    batch_norm: tf.NodeDef,
    convolution: tf.NodeDef,
    weights: np.ndarray,
    bias: np.ndarray,
) -> dict[str, np.ndarray]:
    """Adds a convolution with folded weights, and a bias in the place of the batch norm.

    Returns:
      The values of the two variables that this takes, by their names.
    """
    names = [f"{batch_norm.name}/folded_{end}" for end in ("weights", "bias")]
    for name in names:
        graph_def.node.add(name=name, op=_VARIABLE)
    other = graph_def.node.add()
    other.CopyFrom(convolution)
    other.name = f"{batch_norm.name}/folded"
    other.input[1] = names[0]
    added = graph_def.node.add(name=batch_norm.name, op="BiasAdd")
    added.input.extend([other.name, names[1]])
    added.attr["T"].type = tf.float32.as_datatype_enum
    added.attr["data_format"].CopyFrom(batch_norm.attr["data_format"])
    return dict(zip(names, (weights, bias), strict=True))
