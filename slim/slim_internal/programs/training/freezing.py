"""Trains some scopes of a network and leaves the others exactly as they are."""

import logging
from collections.abc import Sequence

from slim_internal.ground.compat import tf
from slim_internal.ground.errors import UserError
from slim_internal.parts.checkpoints.restore import in_scopes

_LOG = logging.getLogger(__name__)

_ASSIGNMENTS = ("Assign", "AssignAdd", "AssignSub")


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
