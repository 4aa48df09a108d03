"""Weights that follow from the names of variables, as `tests/golden/README.md` defines them.

The same rule was applied when the reference numbers were measured, so that a network with equal
names and shapes gives equal outputs.
"""

import math
import re
import zlib

import numpy as np

from slim_internal.ground.compat import tf

# "..., then every variable whose name ends with 'a', 'b' or 'c' is multiplied by 1.5 (...)"
_EXTRA_FACTOR = re.compile(r"whose name ends with (?P<endings>.*) is multiplied by (?P<factor>\S+)")


def value(name: str, shape: list[int], rule: str = "default") -> np.ndarray:
    """Returns the weights of one variable.

    Args:
      name: Name of the variable's operation.
      shape: Its shape.
      rule: The `weight_rule` of the reference file.
    """
    random = np.random.RandomState(zlib.crc32(name.encode()) & 0xFFFFFFFF)
    last = name.rpartition("/")[2]
    if last == "global_step":
        return np.zeros(shape, np.int64)
    if name.endswith("moving_variance") or last == "gamma":
        array = random.uniform(0.5, 1.5, shape)
    elif last in ("moving_mean", "biases", "beta"):
        array = random.normal(0.0, 0.1, shape)
    else:
        fan_in = shape[0] * shape[1] if last == "depthwise_weights" else math.prod(shape[:-1])
        array = random.normal(0.0, math.sqrt(2.0 / fan_in), shape)
    array *= _extra_factor(name, rule)
    return array.astype(np.float32)


def values(variables: list, rule: str = "default") -> dict[str, np.ndarray]:
    """Returns the weights of [name, shape] pairs by name."""
    return {name: value(name, shape, rule) for name, shape in variables}


def images(shape: list[int]) -> np.ndarray:
    """Returns the input on which the reference numbers were measured."""
    return np.random.RandomState(42).uniform(-1, 1, shape).astype(np.float32)


def assign(session: tf.Session, variables: list, rule: str = "default") -> None:
    """Gives variables of the graph, and their optimizer-free peers, the weights of their names."""
    feed = {
        variable.initializer.inputs[1]: value(variable.op.name, variable.shape.as_list(), rule)
        for variable in variables
    }
    # One run for all: a run costs more, the larger the graph, and there are as many as variables.
    session.run([variable.initializer for variable in variables], feed)


def write_checkpoint(path: str, weights: dict[str, np.ndarray]) -> None:
    """Writes a checkpoint with these names and arrays, without building their network."""
    with tf.Graph().as_default(), tf.Session() as session:
        tensors = [tf.placeholder(array.dtype, array.shape) for array in weights.values()]
        save = tf.raw_ops.SaveV2(
            prefix=path,
            tensor_names=list(weights),
            shape_and_slices=[""] * len(weights),
            tensors=tensors,
        )
        session.run(save, dict(zip(tensors, weights.values(), strict=True)))


def _extra_factor(name: str, rule: str) -> float:
    if rule == "default":
        return 1.0
    match = _EXTRA_FACTOR.search(rule)
    endings = tuple(re.findall("'([^']+)'", match["endings"]))
    return float(match["factor"]) if name.endswith(endings) else 1.0
