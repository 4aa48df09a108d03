"""Tells how a training run goes: a progress line, a file of metrics, TensorBoard."""

import contextlib
import json
import logging
import os
import time

from slim_internal.ground.compat import tf
from slim_internal.ground.progress import duration

_LOG = logging.getLogger(__name__)

METRICS_FILENAME = "metrics.jsonl"


class Report(contextlib.AbstractContextManager):
    """Collects steps and reports them from time to time.

    Each report goes to the log as a line, to `metrics.jsonl` as a JSON object and to TensorBoard.

    Args:
      train_dir: Where to write.
      images_per_step: Pictures that one step takes, all clones together.
      last_step: Step at which the run ends; None if it has no end.
    """

    def __init__(self, train_dir: str, images_per_step: int, last_step: int | None):
        self._images_per_step = images_per_step
        self._last_step = last_step
        self._metrics_path = os.path.join(train_dir, METRICS_FILENAME)
        self._events = tf.summary.FileWriter(train_dir)
        self._restart()

    def __exit__(self, *_):
        self._events.close()

    def _restart(self):
        self._since = time.monotonic()
        self._steps = 0
        self._input_seconds = 0.0

    def add_step(self, input_seconds: float) -> None:
        """Counts a step and the time it waited for its input."""
        self._steps += 1
        self._input_seconds += input_seconds

    def add_summaries(self, step: int, summaries: bytes) -> None:
        """Writes merged summaries for TensorBoard."""
        self._events.add_summary(summaries, step)

    def tell(self, step: int, loss: float, learning_rate: float) -> None:
        """Reports the steps since the last report."""
        seconds = time.monotonic() - self._since
        values = {
            "loss": float(loss),
            "learning_rate": float(learning_rate),
            "images_per_second": self._steps * self._images_per_step / seconds,
            "input_wait": min(1.0, self._input_seconds / seconds),
        }
        rate = values["images_per_second"]
        line = (
            f"step {step}{f'/{self._last_step}' if self._last_step else ''}"
            f"  loss {loss:.4f}  lr {learning_rate:.4g}"
            f"  {rate:.{0 if rate >= 10 else 1}f} images/s"
            f"  input wait {values['input_wait']:.0%}"
        )
        if self._last_step:
            remaining = (self._last_step - step) * seconds / self._steps
            line += f"  ETA {duration(remaining)}"
        _LOG.info("%s", line)
        with open(self._metrics_path, "a") as metrics:
            metrics.write(json.dumps({"step": step, **values}) + "\n")
        for name, value in values.items():
            summary = tf.Summary(
                value=[tf.Summary.Value(tag=f"training/{name}", simple_value=value)]
            )
            self._events.add_summary(summary, step)
        self._events.flush()
        self._restart()
