"""Changes the inputs of operations that exist already; TensorFlow has no public way to do it."""

from collections.abc import Iterable

from slim_internal.ground.compat import tf


def replace_input(operation: tf.Operation, index: int, tensor: tf.Tensor) -> None:
    """Makes an operation read another tensor; gradients that were built before keep the old one."""
    operation._update_input(index, tensor)


def redirect(consumers: Iterable[tf.Operation], old: tf.Tensor, new: tf.Tensor) -> None:
    """Makes operations read a tensor in the place of another one."""
    for operation in consumers:
        for index, tensor in enumerate(operation.inputs):
            if tensor is old:
                replace_input(operation, index, new)
