"""What each kind of operation is to 8-bit arithmetic: the one table to extend."""

import enum
from collections.abc import Callable, Sequence

import numpy as np

from slim_internal.ground.compat import tf


class Kind(enum.Enum):
    """What becomes of the range of values."""

    LAYER = "multiplies by weights"
    TAIL = "is computed with the layer before it: bias and batch normalization"
    ACTIVATION = "is computed with the operation before it"
    ARITHMETIC = "has a range of its own"
    SAME_RANGE = "has the range of what it reads"
    AVERAGE = "has the range of what it reads, and is rounded to it"
    INNER = "is part of one kernel; never leaves it"


KINDS: dict[str, Kind] = {
    **dict.fromkeys(("Conv2D", "DepthwiseConv2dNative", "MatMul"), Kind.LAYER),
    **dict.fromkeys(("BiasAdd", "FusedBatchNormV3"), Kind.TAIL),
    **dict.fromkeys(("Relu", "Relu6"), Kind.ACTIVATION),
    **dict.fromkeys(("Add", "AddV2", "Sub", "Mul", "Mean"), Kind.ARITHMETIC),
    **dict.fromkeys(("BatchToSpaceND", "ConcatV2", "ExpandDims", "Identity"), Kind.SAME_RANGE),
    **dict.fromkeys(("MaxPool", "Pad", "Reshape", "SelectV2", "Slice"), Kind.SAME_RANGE),
    **dict.fromkeys(("SpaceToBatchND", "Squeeze", "StopGradient"), Kind.SAME_RANGE),
    "AvgPool": Kind.AVERAGE,
}

# What an activation may follow in one kernel.
_BEFORE_ACTIVATION = ("Add", "AddV2", "Sub", "Mul")

Consumers = Callable[[tf.Tensor], Sequence[tf.Operation]]


def kinds_of(path: Sequence[tf.Operation], consumers: Consumers) -> dict[tf.Operation, Kind | None]:
    """Returns the kind of each operation between images and logits, None where there is none.

    Args:
      path: The operations.
      consumers: Function of a tensor that returns those which read it.
    """
    kinds = {operation: KINDS.get(operation.type) for operation in path}
    for operation in path:
        if operation.type == "Mul":
            kinds |= _of_product(operation, consumers)
    return kinds


def is_fused(operation: tf.Operation, kind: Kind, consumers: Consumers) -> bool:
    """Returns whether the only reader of an operation's output is computed with it."""
    readers = consumers(operation.outputs[0])
    if len(readers) != 1:
        return False
    if readers[0].type in ("Relu", "Relu6"):
        return kind in (Kind.LAYER, Kind.TAIL) or operation.type in _BEFORE_ACTIVATION
    return KINDS.get(readers[0].type) is Kind.TAIL and kind in (Kind.LAYER, Kind.TAIL)


def _of_product(product: tf.Operation, consumers: Consumers) -> dict[tf.Operation, Kind]:
    """Returns the kinds of products that are not what they seem: dropout, hard swish."""
    readers = consumers(product.outputs[0])
    if len(readers) == 1 and readers[0].type == "SelectV2":
        return {product: Kind.SAME_RANGE}  # Dropout, which inference leaves out.
    return dict.fromkeys(_inside_hard_swish(product), Kind.INNER)


def _inside_hard_swish(product: tf.Operation) -> Sequence[tf.Operation]:
    """Returns what comes before the last product in x * relu6(x + 3) * (1 / 6)."""
    inner, sixth = product.inputs[0].op, tf.get_static_value(product.inputs[1])
    if inner.type != "Mul" or sixth is None or not np.isclose(sixth, 1 / 6).all():
        return ()
    source, gate = inner.inputs
    if gate.op.type != "Relu6" or gate.op.inputs[0].op.type not in ("Add", "AddV2"):
        return ()
    shifted = gate.op.inputs[0].op
    return (inner, gate.op, shifted) if shifted.inputs[0] is source else ()
