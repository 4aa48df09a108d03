"""The moving statistics of batch normalization, and how fast they follow the batches.

A network's own decay, 0.9997 for example, averages over thousands of steps; a run of a few hundred
would be evaluated with statistics that it never had. So the decay rises with the steps of the run,
much as that of `tf.train.ExponentialMovingAverage(num_updates=...)` does, up to the network's own.
Weights that still move fast leave all averages behind; at the end of a run the statistics are
estimated once more, for the weights that it ends with.
"""

import logging
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from slim_internal.ground.compat import slim, tf
from slim_internal.parts.checkpoints import restore
from slim_internal.parts.input_pipeline import damage
from slim_internal.programs.training.hooks import Hook
from slim_internal.programs.training.reporting import announced

_LOG = logging.getLogger(__name__)

# Averages over (steps + 300) / 300 steps. Of 10 (as in TensorFlow's moving averages), 100, 300,
# 1000 and 3000 this one came nearest to statistics that were estimated anew: mobilenet_v1_025 after
# 300 steps on the digits, 40.6, 57.8, 63.6, 56.9 and 53.1 % against 66.4 %.
_WARM_UP_STEPS = 300


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
    """Returns the rate whose decay is (1 + step) / (300 + step): nearly 1 at first, and falling."""
    return (_WARM_UP_STEPS - 1) / (_WARM_UP_STEPS + tf.cast(step, tf.float32))


# Types of the updates that batch normalization makes, and of those that `follow` makes of them.
_UPDATES = ("AssignSub", "AssignSubVariableOp")
_FOLLOWING = ("Assign", "AssignVariableOp")


class Estimation(Hook):
    """Estimates the statistics anew on the next batches when a run has made its last step.

    Which batches these are follows from the step: an interrupted run ends as one that was not.

    Args:
      session: The session that trains.
      updates: The updates of the statistics.
      num_batches: How many batches; 0 leaves the statistics as they are.
      is_end: Told a step, returns whether the run ends with it and is not just interrupted.
      must_stop: Asked before each batch.
    """

    def __init__(
        self,
        session: tf.Session,
        updates: Sequence[tf.Operation],
        num_batches: int,
        is_end: Callable[[int], bool] = lambda step: True,
        must_stop: Callable[[], bool] = lambda: False,
    ):
        self._session = session
        self._rate = tf.placeholder(tf.float32, [])
        self._updates = follow(updates, self._rate, own_rate=0.0)
        self._num_batches = num_batches
        self._is_end = is_end
        self._must_stop = must_stop
        self._any_step = False

    def after_step(self, step):
        """Remembers that there is something new to estimate."""
        self._any_step = True

    def at_end(self, step):
        """Estimates, if this is the end of the run and not just a stop."""
        if self._updates and self._num_batches and self._any_step and self._is_end(step):
            with announced("Estimating the statistics of batch normalization", at_once=False):
                self.estimate()
                self._estimate_averages()

    def _estimate_averages(self) -> None:
        """Does the same for the moving averages of the weights, as if these were the weights."""
        averages = _moving_averages()
        if not averages:
            return
        names = _statistics_of(self._updates)
        kept, means = self._session.run([list(averages), list(averages.values())])
        _load(self._session, averages, means)
        self.estimate()
        estimated = {variable: variable.op.name in names for variable in averages}
        values = self._session.run([variable for variable, is_new in estimated.items() if is_new])
        _load(self._session, averages, kept)
        shadows = [averages[variable] for variable, is_new in estimated.items() if is_new]
        _load(self._session, shadows, values)

    def estimate(self) -> None:
        """Replaces the statistics by their means over the next batches."""
        for number in range(self._num_batches):
            if self._must_stop():
                _LOG.info("Statistics estimated on %d of %d batches.", number, self._num_batches)
                return
            try:
                self._session.run(self._updates, {self._rate: 1 / (number + 1)})
            except damage.DAMAGE_ERRORS as error:  # The steps that were made count more.
                _LOG.warning(
                    "Statistics estimated on %d of %d batches: %s",
                    *(number, self._num_batches, error.message.splitlines()[0]),
                )
                return


def _moving_averages() -> dict[tf.Variable, tf.Variable]:
    """Returns the moving average of each variable of the model that training keeps one of."""
    by_name = {variable.op.name: variable for variable in tf.global_variables()}
    return {
        variable: by_name[name]
        for name, variable in restore.moving_averages(slim.get_model_variables()).items()
        if name in by_name
    }


def _statistics_of(updates: Sequence[tf.Operation]) -> set[str]:
    """Returns the names of the variables that `follow` has found updates of."""
    operations = [getattr(update, "op", update) for update in updates]
    return {each.inputs[0].op.name for each in operations if each.type in _FOLLOWING}


def _load(
    session: tf.Session, variables: Iterable[tf.Variable], values: Iterable[np.ndarray]
) -> None:
    # In one run: TensorFlow prepares the graph for each set of operations that is run.
    given = dict(zip((variable.initializer for variable in variables), values, strict=True))
    session.run(list(given), {assign.inputs[1]: value for assign, value in given.items()})


def _follow(update, variables, rate, own_rate):
    operation = getattr(update, "op", update)
    # statistic -= (statistic - value of the batch) * (1 - decay)
    if operation.type not in _UPDATES:
        return update
    product = operation.inputs[1].op
    if product.type != "Mul" or product.inputs[0].op.type != "Sub":
        return update
    variable = variables[operation.inputs[0].op.name]
    difference, network_rate = product.inputs
    value = difference.op.inputs[1]
    wanted = tf.maximum(network_rate if own_rate is None else own_rate, rate)
    with tf.device(variable.device):
        # At a rate of 1 nothing is left of the variable, not even its rounding.
        return tf.assign(variable, variable * (1.0 - wanted) + value * wanted).op
