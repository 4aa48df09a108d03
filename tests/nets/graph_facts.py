"""What the reference files say of a graph, read off a graph of ours."""

import collections
import re

import numpy as np

from slim_internal.ground.compat import tf

# Depending on the layer, the share that an update moves is a constant or 1 minus the decay.
_DECAY = re.compile(r"/AssignMovingAvg(_\d+)?/decay$")
_ONE_MINUS_DECAY = re.compile(r"/AssignMovingAvg(_\d+)?/sub$")
_UNFUSED_ADD = re.compile(r"/batchnorm(_\d+)?/add$")


def names_and_shapes(variables) -> list:
    """Returns [operation name, shape] of each variable, in order."""
    return [[variable.op.name, variable.shape.as_list()] for variable in variables]


def shapes(end_points: dict) -> dict:
    """Returns the static shape of each end point."""
    return {name: tensor.shape.as_list() for name, tensor in end_points.items()}


def num_elements(variables) -> int:
    """Returns the sum of the sizes of variables."""
    return sum(variable.shape.num_elements() for variable in variables)


def batch_norm() -> dict:
    """Returns how often each epsilon and decay of batch normalization stands in the graph."""
    decay, fused, unfused = (collections.Counter() for _ in range(3))
    for op in tf.get_default_graph().get_operations():
        if op.type.startswith("FusedBatchNorm"):
            fused[_number(op.get_attr("epsilon"))] += 1
        elif _UNFUSED_ADD.search(op.name):
            unfused[_number(tf.get_static_value(op.inputs[1]))] += 1
        elif _DECAY.search(op.name):
            decay[_number(1.0 - np.float64(tf.get_static_value(op.outputs[0])))] += 1
        elif _ONE_MINUS_DECAY.search(op.name) and tf.get_static_value(op.inputs[0]) == 1.0:
            decay[_number(tf.get_static_value(op.inputs[1]))] += 1
    facts = {
        "decay": dict(decay),
        "fused_epsilon": dict(fused),
        "unfused_batchnorm_ops": sum(unfused.values()),
    }
    if unfused:
        facts["unfused_epsilon"] = dict(unfused)
    return facts


def dropout_keep_probs() -> set[float]:
    """Returns the shares of activations that the dropouts in the graph keep."""
    return {
        round(1.0 - float(tf.get_static_value(op.inputs[1])), 6)
        for op in tf.get_default_graph().get_operations()
        if op.type == "GreaterEqual" and "dropout" in op.name.lower()
    }


def regularized_variables() -> dict[str, list[str]]:
    """Returns the scale of each l2 penalty in the graph with the variables it falls on."""
    found = collections.defaultdict(list)
    for loss in tf.get_collection(tf.GraphKeys.REGULARIZATION_LOSSES):
        scale, half_square_sum = loss.op.inputs
        op = half_square_sum.op
        while op.type not in ("VariableV2", "VarHandleOp"):
            op = op.inputs[0].op
        found[_number(tf.get_static_value(scale))].append(op.name)
    return {scale: sorted(names) for scale, names in found.items()}


def initializer(variable) -> str:
    """Describes what a variable starts with, in the words of the reference files."""
    value = variable.initializer.inputs[1]
    constant = _constant(value)
    if constant is not None:
        return constant
    scaled, offset = value.op.inputs
    random, scale = scaled.op.inputs
    low = tf.get_static_value(offset)
    match random.op.type:
        case "RandomUniform":
            high = tf.get_static_value(scale.op.inputs[0])
            return f"random_uniform({_number(low)}, {_number(high)})"
        case "TruncatedNormal":
            kind = "truncated_normal"
        case "RandomStandardNormal":
            kind = "random_normal"
    return f"{kind}(mean={_number(low)}, stddev={_number(tf.get_static_value(scale))})"


def expected_initializer(initializers: dict[str, str], name: str) -> str:
    """Returns what a reference file says of a variable; exceptions stand under the full name."""
    return initializers.get(name) or initializers[f"*/{name.rpartition('/')[2]}"]


def _constant(value) -> str | None:
    if value.op.type == "Fill":
        return f"constant({_number(tf.get_static_value(value.op.inputs[1]))})"
    array = tf.get_static_value(value)
    if array is None:
        return None
    if (array == array.flat[0]).all():
        return f"constant({_number(array.flat[0])})"
    return f"constant_array(sum={_number(array.sum())})"


def _number(value) -> str:
    return f"{value:.7g}"
