"""The loop of a training run: makes steps and calls hooks."""

import contextlib
import logging
from collections.abc import Callable, Sequence

from slim_internal.ground.compat import tf
from slim_internal.ground.progress import start_up
from slim_internal.programs.training.graph import TrainingGraph
from slim_internal.programs.training.hooks import Hook, Step
from slim_internal.programs.training.reporting import announced, reminded
from slim_internal.programs.training.schedules import Schedule

_LOG = logging.getLogger(__name__)


class Loop:
    """Makes steps until the last one, or until it is asked to stop.

    Args:
      session: Session with the variables.
      graph: What to run.
      schedule: Learning rate of each step.
      hooks: What to do beside the steps, in this order.
      step: Steps made before.
      last_step: Step after which to stop; None to go on for ever.
      must_stop: Asked before each step.
      look_at_first: Is given the optimized graphs of the first step.

    Attributes:
      step: Steps made, those of earlier runs included.
      loss: Loss of the last step; None if none was made.
    """

    def __init__(
        self,
        session: tf.Session,
        graph: TrainingGraph,
        schedule: Schedule,
        hooks: Sequence[Hook],
        *,
        step: int,
        last_step: int | None,
        must_stop: Callable[[], bool],
        look_at_first: Callable[[tf.RunMetadata], None] | None = None,
    ):
        self.step = step
        self.loss: float | None = None
        self._session = session
        self._graph = graph
        self._schedule = schedule
        self._hooks = hooks
        self._last_step = last_step
        self._must_stop = must_stop
        self._look_at_first = look_at_first

    def run(self) -> None:
        """Makes the steps."""
        with contextlib.ExitStack() as stack:
            for hook in self._hooks:
                stack.callback(hook.close)
            if not self._is_last() and not self._must_stop():
                what = "Filling the shuffle buffer and making the first step"
                with announced(what), start_up.measured("first step"):
                    self._make_step(self._look_at_first)
                _LOG.info("Start: %s", start_up.told())
            with reminded(lambda: self.step):
                while not self._is_last() and not self._must_stop():
                    self._make_step()
                for hook in self._hooks:
                    hook.at_end(self.step)

    def _is_last(self) -> bool:
        return self._last_step is not None and self.step >= self._last_step

    def _make_step(self, look: Callable[[tf.RunMetadata], None] | None = None) -> None:
        learning_rate = self._schedule(self.step)
        extra = {}
        for hook in self._hooks:
            extra.update(hook.fetches(self.step))
        metadata = tf.RunMetadata() if look else None
        try:
            for _ in range(self._graph.accumulate_steps - 1):
                self._session.run(self._graph.accumulate)
            loss, values = self._session.run(
                [self._graph.loss, extra],
                {self._graph.learning_rate: learning_rate},
                options=tf.RunOptions(output_partition_graphs=True) if look else None,
                run_metadata=metadata,
            )
        except tf.errors.OpError as error:
            for hook in self._hooks:
                hook.on_error(error, self.step, learning_rate)
            raise
        if look:
            look(metadata)
        # Hooks fetch it where other processes make steps, too.
        self.step = int(values.get("global_step", self.step + 1))
        self.loss = float(loss)
        step = Step(self.step, self.loss, learning_rate, self._is_last(), values)
        for hook in self._hooks:
            hook.after_step(step)
