"""Tells how a training run goes: a progress line, a file of metrics, TensorBoard."""

import contextlib
import dataclasses
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping

from slim_internal.ground.compat import tf
from slim_internal.ground.files import atomic, json_objects
from slim_internal.ground.progress import duration
from slim_internal.parts.metrics.json_files import JsonLines
from slim_internal.parts.metrics.metric import Value
from slim_internal.parts.metrics.tensorboard import TensorBoard
from slim_internal.parts.metrics.writers import Several, Writer
from slim_internal.programs.training.hooks import Hook, Step, Timer

_LOG = logging.getLogger(__name__)

METRICS_FILENAME = "metrics.jsonl"

_MAX_SILENCE = 10.0  # Seconds without a line.


@contextlib.contextmanager
def announced(
    what: str, every_secs: float = _MAX_SILENCE, *, at_once: bool = True
) -> Iterator[None]:
    """Logs what is being done, and again from time to time while it lasts.

    Args:
      what: In words.
      every_secs: Seconds between two lines.
      at_once: Whether it is worth a line even if it is soon done.
    """
    start = time.monotonic()

    def remind():
        _LOG.info("%s: %s", what, duration(time.monotonic() - start))

    if at_once:
        _LOG.info("%s ...", what)
    with _repeated(remind, every_secs):
        yield


@contextlib.contextmanager
def reminded(step: Callable[[], int], every_secs: float = _MAX_SILENCE) -> Iterator[None]:
    """Logs from time to time that steps take long, where none ends in so many seconds.

    Args:
      step: Returns how many steps were made.
      every_secs: Seconds between two lines.
    """
    seen, since = step(), time.monotonic()

    def remind():
        nonlocal seen, since
        if step() == seen:
            _LOG.info("Since step %d: %s", seen, duration(time.monotonic() - since))
        else:
            seen, since = step(), time.monotonic()

    with _repeated(remind, every_secs):
        yield


@contextlib.contextmanager
def _repeated(call: Callable[[], None], every_secs: float) -> Iterator[None]:
    """Within it, something is called from time to time, in a thread of its own."""
    done = threading.Event()

    def repeat():
        while not done.wait(every_secs):
            call()

    thread = threading.Thread(target=repeat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@dataclasses.dataclass(frozen=True)
class Extent:
    """How much there is to train.

    Attributes:
      first_step: Steps made before this run.
      last_step: Step at which the run ends; None if it has no end.
      images_per_step: Images that one step takes, all clones together.
      num_samples: Images of an epoch.
    """

    first_step: int
    last_step: int | None
    images_per_step: int
    num_samples: int

    def epoch(self, step: int) -> float:
        """Returns how many times the dataset was seen after a step."""
        return step * self.images_per_step / self.num_samples

    def steps(self, epochs: float | None) -> int | None:
        """Returns how many steps epochs are, at least 1; None where none are given."""
        if not epochs:
            return None
        return max(1, round(epochs * self.num_samples / self.images_per_step))


def open_metrics(train_dir: str, first_step: int) -> tuple[Several, TensorBoard]:
    """Returns the writers of a run's numbers, and of these the one for TensorBoard.

    What was reported of steps to come, by a run that was interrupted, is forgotten.
    """
    path = os.path.join(train_dir, METRICS_FILENAME)
    cut_metrics(path, first_step)
    board = TensorBoard(train_dir)
    board.forget_from(first_step + 1)
    return Several(JsonLines(path), board), board


def values(numbers: Mapping[str, float]) -> list[Value]:
    """Returns numbers as writers take them: each has one name, wherever it goes."""
    return [Value(name, number, tag=name) for name, number in numbers.items()]


def cut_metrics(path: str, step: int) -> None:
    """Removes from a file of metrics what was written after a step, so that it never goes back.

    An interrupted run has reported steps that were not saved, and will make them again. Lines that
    are no metrics (a process was killed while it wrote) go as well.
    """
    if not os.path.exists(path):
        return
    with open(path, encoding="utf-8", errors="surrogateescape") as metrics:
        lines = metrics.readlines()
    kept = [line for line in lines if 0 <= _step_of_line(line) <= step]
    if kept != lines:
        atomic.write(path, "".join(kept))


def _step_of_line(line: str) -> int:
    step = None
    with contextlib.suppress(json_objects.DamageError):
        step = json_objects.decode(line).get("step")
    return step if type(step) is int else -1


class Reporting(Hook):
    """Reports the steps since the last report, every 10 seconds at least.

    Each report goes to the log as a line, to `metrics.jsonl` as a JSON object and to TensorBoard.

    Args:
      metrics: Writes the numbers.
      tensors: `accuracy` of a batch, and `input_seconds` that a step waits for it.
      extent: How much there is to train.
      every_steps: Steps between two reports.
    """

    def __init__(
        self,
        metrics: Writer,
        tensors: Mapping[str, tf.Tensor],
        extent: Extent,
        *,
        every_steps: int,
    ):
        self._metrics = metrics
        self._tensors = tensors
        self._extent = extent
        self._timer = Timer(every_steps=every_steps, every_secs=_MAX_SILENCE)
        self._reported_step = extent.first_step
        self._restart()

    def fetches(self, step):
        """Asks for the accuracy, and how long the step waits for its input."""
        return self._tensors

    def after_step(self, step):
        """Counts the step, and reports if it is time."""
        self._steps += 1
        self._input_seconds += step.values["input_seconds"]
        self._accuracy += float(step.values["accuracy"])
        if self._timer.due(step.number) or step.is_last:
            self._report(step)
            self._reported_step = step.number
            self._restart()

    def close(self):
        """Closes the files."""
        self._metrics.close()

    def leave_out(self, seconds: float) -> None:
        """Does not count a time in which something else than training was done."""
        self._since += seconds

    def _restart(self):
        self._since = time.monotonic()
        self._steps = 0
        self._input_seconds = 0.0
        self._accuracy = 0.0
        self._timer.restart()

    def _report(self, step: Step) -> None:
        seconds = max(time.monotonic() - self._since, 1e-6)
        steps = max(1, step.number - self._reported_step)  # Other workers make some of them.
        numbers = {
            "epoch": self._extent.epoch(step.number),
            "loss": step.loss,
            "accuracy": self._accuracy / self._steps,
            "learning_rate": float(step.learning_rate),
            "images_per_second": steps * self._extent.images_per_step / seconds,
            "input_wait": min(1.0, self._input_seconds / seconds),
        }
        _LOG.info("%s", self._line(step, numbers, seconds / steps))
        self._metrics.write(step.number, values(numbers))

    def _line(self, step: Step, numbers: Mapping[str, float], step_seconds: float) -> str:
        rate = numbers["images_per_second"]
        last = self._extent.last_step
        line = (
            f"step {step.number}{f'/{last}' if last else ''}"
            f"  epoch {numbers['epoch']:.2f}"
            f"  loss {step.loss:.4f}  accuracy {numbers['accuracy']:.1%}"
            f"  lr {step.learning_rate:.4g}"
            f"  {rate:.{0 if rate >= 10 else 1}f} images/s"
            f"  input wait {numbers['input_wait']:.0%}"
        )
        if last:
            line += f"  ETA {duration(max(0, last - step.number) * step_seconds)}"
        return line
