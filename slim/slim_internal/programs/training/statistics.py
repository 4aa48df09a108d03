"""The moving statistics of batch normalization, and how fast they follow the batches.

A network's own decay, 0.9997 for example, averages over thousands of steps; a run of a few hundred
would be evaluated with statistics that it never had. So the decay rises with the steps of the run,
as that of `tf.train.ExponentialMovingAverage(num_updates=...)` does, up to the network's own.
"""

from collections.abc import Sequence

from slim_internal.ground.compat import tf


def follow(
    updates: Sequence[tf.Operation], rate: tf.Tensor, own_rate: float | None = None
) -> list[tf.Operation]:
    """Returns updates of the moving statistics that follow the batches at least at a given rate.

    The rate of an update is 1 - its decay: the weight of the new batch.

    Args:
      updates: What batch normalization put into the collection of update ops; other updates are
        returned as they are.
      rate: Scalar tensor.
      own_rate: Takes the place of the rate that the network gives its updates.
    """
    variables = {variable.op.name: variable for variable in tf.global_variables()}
    return [_follow(update, variables, rate, own_rate) for update in updates]


def rising_rate(step: tf.Tensor) -> tf.Tensor:
    """Returns the rate whose decay is (1 + step) / (10 + step): 0.9 in the first step, and less."""
    return 9.0 / (10.0 + tf.cast(step, tf.float32))


def _follow(update, variables, rate, own_rate):
    operation = getattr(update, "op", update)
    # statistic -= (statistic - value of the batch) * (1 - decay)
    if operation.type not in ("AssignSub", "AssignSubVariableOp"):
        return update
    product = operation.inputs[1].op
    if product.type != "Mul" or product.inputs[0].op.type != "Sub":
        return update
    variable = variables[operation.inputs[0].op.name]
    difference, network_rate = product.inputs
    value = difference.op.inputs[1]
    wanted = tf.maximum(network_rate if own_rate is None else own_rate, rate)
    with tf.device(variable.device):
        return tf.assign_sub(variable, (variable - value) * wanted).op
