"""Trains some scopes of a network and leaves the others exactly as they are."""

import logging
from collections.abc import Collection, Iterable, Sequence

from slim_internal.ground.compat import rewiring, slim, tf
from slim_internal.ground.errors import UserError
from slim_internal.parts.checkpoints.restore import in_scopes

_LOG = logging.getLogger(__name__)

_ASSIGNMENTS = ("Assign", "AssignAdd", "AssignSub")
_VARIABLES = ("Variable", "VariableV2", "VarHandleOp")


def trainable_variables(scopes: Sequence[str]) -> list[tf.Variable]:
    """Returns the variables to train: those in the scopes, or all if there are no scopes.

    Raises:
      UserError: If a scope has no trainable variable.
    """
    variables = tf.trainable_variables()
    if not scopes:
        return variables
    for scope in scopes:
        if not any(in_scopes(variable.op.name, [scope]) for variable in variables):
            layers = dict.fromkeys(variable.op.name.rpartition("/")[0] for variable in variables)
            raise UserError(
                f"--trainable_scopes: no variable to train in {scope!r}. There are:"
                f" {', '.join(layers)}."
            )
    chosen = [variable for variable in variables if in_scopes(variable.op.name, scopes)]
    frozen = [variable for variable in variables if variable not in chosen]
    _LOG.info("Trained (%d variables): %s", len(chosen), _layers(chosen))
    _LOG.info("Frozen (%d variables): %s", len(frozen), _layers(frozen))
    return chosen


def update_ops(scopes: Sequence[str], clone_scope: str = "") -> list[tf.Operation]:
    """Returns the ops that move the statistics of batch normalization, without frozen layers'.

    Args:
      scopes: The scopes that are trained; none means everything.
      clone_scope: Name scope of the one clone whose statistics count.
    """
    updates = tf.get_collection(tf.GraphKeys.UPDATE_OPS, clone_scope)
    if not scopes:
        return updates
    return [
        update for update in updates if any(in_scopes(name, scopes) for name in _written(update))
    ]


def of_kernels() -> list[tf.Tensor]:
    """Returns the regularization losses but those of biases and batch normalization.

    The variables of both have one dimension.
    """
    vectors = {v.op for v in slim.get_model_variables() if v.shape.rank <= 1}
    losses = tf.losses.get_regularization_losses()
    return [loss for loss in losses if vectors.isdisjoint(ancestors([loss]))]


def frozen_variables(scopes: Sequence[str]) -> set[str]:
    """Returns the names of the model's variables that no step changes; none without scopes."""
    names = {variable.op.name for variable in slim.get_model_variables()} if scopes else set()
    changed = {name for update in update_ops(scopes) for name in _written(update)}
    return {name for name in names - changed if not in_scopes(name, scopes)}


def boundary(
    outputs: Sequence[tf.Tensor | tf.Operation], images: tf.Tensor, frozen: Collection[str]
) -> list[tf.Tensor]:
    """Returns the last tensors that follow from the images and from frozen variables alone.

    What leads from there to the outputs depends on what is trained, on the step, or on chance.

    Args:
      outputs: What is computed of the images.
      images: Where they come in.
      frozen: Names of the frozen variables.

    Returns:
      The tensors; the images themselves are among them where nothing frozen reads all of them.
    """
    fixed, changing = _fixed(images, frozen)
    needed = ancestors(outputs)
    return [
        tensor
        for operation in images.graph.get_operations()
        if operation in fixed
        for tensor in operation.outputs
        if any(consumer in changing and consumer in needed for consumer in tensor.consumers())
    ]


def ancestors(outputs: Iterable[tf.Tensor | tf.Operation]) -> set[tf.Operation]:
    """Returns the operations that compute outputs, those included that they come from."""
    pending, found = [getattr(output, "op", output) for output in outputs], set()
    while pending:
        operation = pending.pop()
        if operation not in found:
            found.add(operation)
            pending += [tensor.op for tensor in operation.inputs]
    return found


def reroute(
    tensor: tf.Tensor, replacement: tf.Tensor, operations: Collection[tf.Operation]
) -> None:
    """Makes operations that read a tensor read another one of the same type and shape instead."""
    readers = [each for each in tensor.consumers() if each in operations]
    rewiring.redirect(readers, tensor, replacement)


def _fixed(
    images: tf.Tensor, frozen: Collection[str]
) -> tuple[set[tf.Operation], set[tf.Operation]]:
    """Returns the operations that always make the same of an image, and those that may not."""
    fixed: set[tf.Operation] = {images.op}
    changing: set[tf.Operation] = set()
    for operation in images.graph.get_operations():  # In the order in which they were made.
        inputs = {tensor.op for tensor in operation.inputs}
        if operation in fixed:
            continue
        if operation.type in _VARIABLES:
            changes = operation.name not in frozen
        else:
            changes = operation.type == "Placeholder" or operation.op_def.is_stateful
        if changes or not changing.isdisjoint(inputs):
            changing.add(operation)
        elif not fixed.isdisjoint(inputs):
            fixed.add(operation)
    return fixed, changing


def _written(update: tf.Operation | tf.Tensor) -> set[str]:
    """Returns the names of the variables that an op assigns to, itself or through what it needs."""
    pending, names = [getattr(update, "op", update)], set()
    while pending:
        operation = pending.pop()
        if operation.type in _ASSIGNMENTS:
            names.add(operation.inputs[0].op.name)
        else:
            pending += [tensor.op for tensor in operation.inputs] + operation.control_inputs
    return names


def _layers(variables: Sequence[tf.Variable]) -> str:
    """Returns the scopes of the variables to a depth of two, which is a layer or a block."""
    layers = ("/".join(variable.op.name.split("/")[:2]) for variable in variables)
    return ", ".join(dict.fromkeys(layers)) or "none"
