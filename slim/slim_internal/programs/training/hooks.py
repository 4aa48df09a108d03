"""What a training run does beside its steps: it reports, saves, and watches.

The loop only makes steps. Before each one it asks its hooks what else to fetch, and afterwards it
shows them what came of it, in their order. A `Timer` says when something periodic is due.
"""

import dataclasses
import glob
import json
import logging
import math
import os
import time
from collections.abc import Collection, Mapping
from typing import Any

from slim_internal.ground.compat import first_cause, paths, tf
from slim_internal.ground.errors import UserError
from slim_internal.ground.files import atomic
from slim_internal.ground.progress import duration
from slim_internal.parts.input_pipeline import damage

_LOG = logging.getLogger(__name__)

METRICS_FILENAME = "metrics.jsonl"


class DivergedError(UserError):
    """The loss or the weights are no longer finite numbers."""


@dataclasses.dataclass(frozen=True)
class Step:
    """A step that was made.

    Attributes:
      number: Steps made so far, those of earlier runs included.
      loss: Total loss before its update.
      learning_rate: Learning rate of its update.
      is_last: Whether the run ends with it.
      values: What the hooks had fetched with it, by the names that they gave.
    """

    number: int
    loss: float
    learning_rate: float
    is_last: bool = False
    values: Mapping[str, Any] = dataclasses.field(default_factory=dict)


class Timer:
    """Says when something periodic is due; any of its periods is enough.

    Args:
      every_steps: Due at the multiples of this number.
      every_secs: Due when so many seconds have passed since the last time.
      at_steps: Due at these steps.
      at_once: Whether the first seconds count as passed.
    """

    def __init__(
        self,
        *,
        every_steps: int | None = None,
        every_secs: float | None = None,
        at_steps: Collection[int] = (),
        at_once: bool = False,
    ):
        self._every_steps = every_steps
        self._every_secs = every_secs
        self._at_steps = at_steps
        self.restart()
        if at_once:
            self._since = -math.inf

    def due(self, step: int) -> bool:
        """Returns whether it is time, `step` steps having been made."""
        if self._every_steps and step % self._every_steps == 0:
            return True
        if self._every_secs is not None and time.monotonic() - self._since >= self._every_secs:
            return True
        return step in self._at_steps

    def restart(self) -> None:
        """Counts the seconds from now on."""
        self._since = time.monotonic()


class Hook:
    """One thing that a run does beside its steps; this one does nothing."""

    def fetches(self, step: int) -> Mapping[str, tf.Tensor]:
        """Returns what to fetch with the step that is made now, `step` steps having been made."""
        return {}

    def after_step(self, step: Step) -> None:
        """Looks at a step."""

    def on_error(self, error: Exception, step: int, learning_rate: float) -> None:
        """Looks at the error that a step ended in, `step` steps having been made before.

        May raise one that says more.
        """

    def at_end(self, step: int) -> None:
        """Does what is left to do when no more steps are made."""

    def close(self) -> None:
        """Lets go of what it holds, however the run ended."""


class LabelCheck(Hook):
    """Refuses labels that the network has no class for.

    Args:
      label_range: Tensor of the smallest and the largest label of a batch, after the offset.
      num_classes: Number of classes of the network.
      labels_offset: What was subtracted from the labels.
    """

    def __init__(self, label_range: tf.Tensor, num_classes: int, labels_offset: int):
        self._label_range = label_range
        self._num_classes = num_classes
        self._labels_offset = labels_offset

    def fetches(self, step):
        """Asks for the range of the labels."""
        return {"label_range": self._label_range}

    def after_step(self, step):
        """Raises UserError if a label is outside the classes."""
        smallest, largest = step.values["label_range"]
        if smallest < 0 or largest >= self._num_classes:
            raise UserError(
                f"With --labels_offset={self._labels_offset} the labels of a batch are {smallest}"
                f" to {largest}, but the network has the classes 0 to {self._num_classes - 1}."
            )


class Saving(Hook):
    """Saves a checkpoint from time to time and at the end.

    Weights that are not finite are never saved: DivergedError is raised instead.

    Args:
      session: The session that trains.
      saver: Writes the checkpoints.
      train_dir: Where to.
      finite: Tensor that tells whether all variables of the model are finite numbers.
      every_secs: Seconds between two checkpoints.
      checkpoint: The checkpoint that the run continues from, or None.
      first_step: Steps made before this run.

    Attributes:
      checkpoint: The newest checkpoint, or None.
    """

    def __init__(
        self,
        session: tf.Session,
        saver: tf.train.Saver,
        train_dir: str,
        finite: tf.Tensor,
        *,
        every_secs: float,
        checkpoint: str | None,
        first_step: int,
    ):
        self.checkpoint = checkpoint
        self._session = session
        self._saver = saver
        self._path = os.path.join(train_dir, "model.ckpt")
        self._finite = finite
        self._timer = Timer(every_secs=every_secs)
        self._saved_step = first_step
        self._learning_rate = math.nan

    def after_step(self, step):
        """Saves if it is time."""
        self._learning_rate = step.learning_rate
        if self._timer.due(step.number):
            self._save(step.number)
            self._timer.restart()

    def on_error(self, error, step, learning_rate):
        """Saves what was trained before a damaged record."""
        if isinstance(error, damage.DAMAGE_ERRORS):  # It has not touched the weights.
            self.at_end(step)

    def at_end(self, step):
        """Saves unless the last step is saved already."""
        if step != self._saved_step:
            self._save(step)

    def _save(self, step: int) -> None:
        if not self._session.run(self._finite):
            raise self.diverged("The weights are not finite", step, self._learning_rate)
        try:
            self._saver.save(
                self._session,
                paths.literal_checkpoint(self._path),
                global_step=step,
                write_meta_graph=False,
            )
        except tf.errors.OpError as error:  # A full disk, most likely.
            for unfinished in glob.glob(f"{glob.escape(self._path)}-{step}.*tempstate*"):
                os.remove(unfinished)
            raise UserError(
                f"Step {step} cannot be saved: {first_cause(error)}. {self._last_good()}"
            ) from error
        self.checkpoint = f"{self._path}-{step}"
        self._saved_step = step
        _LOG.info("Saved %s", self.checkpoint)

    def diverged(self, what: str, step: int, learning_rate: float) -> DivergedError:
        """Returns the error that ends a run whose numbers are no longer finite."""
        return DivergedError(
            f"{what} at step {step} (learning rate {learning_rate:.4g})."
            f" {self._last_good()} Try a lower --learning_rate or --clip_gradient_norm=1, and look"
            " for damaged images."
        )

    def _last_good(self) -> str:
        return f"The last good checkpoint is {self.checkpoint or 'none: nothing was saved before'}."


class DivergenceWatch(Hook):
    """Ends a run whose loss is not a finite number, before anything is written.

    Args:
      saving: Knows the last good checkpoint.
    """

    def __init__(self, saving: Saving):
        self._saving = saving

    def after_step(self, step):
        """Raises DivergedError if the loss is not finite."""
        if not math.isfinite(step.loss):
            raise self._saving.diverged(f"The loss is {step.loss}", step.number, step.learning_rate)

    def on_error(self, error, step, learning_rate):
        """Raises DivergedError if a histogram met numbers that are not finite."""
        in_summary = isinstance(error, tf.errors.OpError) and "summary histogram" in error.message
        if in_summary:
            raise self._saving.diverged(
                "Activations or weights are not finite", step, learning_rate
            ) from error


class Summaries(Hook):
    """Writes summaries of activations and weights for TensorBoard, with the first step at once.

    Args:
      summaries: Merged summaries.
      events: Where to write.
      every_secs: Seconds between two of them.
    """

    def __init__(self, summaries: tf.Tensor, events: tf.summary.FileWriter, every_secs: float):
        self._summaries = summaries
        self._events = events
        self._timer = Timer(every_secs=every_secs, at_once=True)

    def fetches(self, step):
        """Asks for the summaries if it is time."""
        return {"summaries": self._summaries} if self._timer.due(step + 1) else {}

    def after_step(self, step):
        """Writes the summaries that were asked for."""
        if "summaries" in step.values:
            self._events.add_summary(step.values["summaries"], step.number)
            self._timer.restart()


def cut_metrics(path: str, step: int) -> None:
    """Removes from a file of metrics what was written after a step, so that it never goes back.

    An interrupted run has reported steps that were not saved, and will make them again. Lines that
    are no metrics (a process was killed while it wrote) go as well.
    """
    if not os.path.exists(path):
        return
    with open(path, encoding="utf-8") as metrics:
        lines = metrics.readlines()
    kept = [line for line in lines if 0 <= _step_of_line(line) <= step]
    if kept != lines:
        atomic.write(path, "".join(kept))


def _step_of_line(line: str) -> int:
    try:
        return int(json.loads(line)["step"])
    except (KeyError, TypeError, ValueError):
        return -1


class Reporting(Hook):
    """Reports the steps since the last report.

    Each report goes to the log as a line, to `metrics.jsonl` as a JSON object and to TensorBoard.

    Args:
      train_dir: Folder of `metrics.jsonl`.
      events: Writes for TensorBoard.
      input_seconds: Tensor of the time that a step waits for its batch.
      images_per_step: Images that one step takes, all clones together.
      every_steps: Steps between two reports.
      first_step: Steps made before this run; what was reported of later ones is removed.
      last_step: Step at which the run ends; None if it has no end.
    """

    def __init__(
        self,
        train_dir: str,
        events: tf.summary.FileWriter,
        input_seconds: tf.Tensor,
        *,
        images_per_step: int,
        every_steps: int,
        first_step: int,
        last_step: int | None,
    ):
        self._path = os.path.join(train_dir, METRICS_FILENAME)
        cut_metrics(self._path, first_step)
        # TensorBoard forgets what it knows of this step and later ones.
        events.add_session_log(tf.SessionLog(status=tf.SessionLog.START), first_step + 1)
        self._events = events
        self._tensor = input_seconds
        self._images_per_step = images_per_step
        self._timer = Timer(every_steps=every_steps)
        self._last_step = last_step
        self._restart()

    def fetches(self, step):
        """Asks how long the step waits for its input."""
        return {"input_seconds": self._tensor}

    def after_step(self, step):
        """Counts the step, and reports if it is time."""
        self._steps += 1
        self._input_seconds += step.values["input_seconds"]
        if self._timer.due(step.number) or step.is_last:
            self._report(step)
            self._restart()

    def close(self):
        """Closes the file of events."""
        self._events.close()

    def _restart(self):
        self._since = time.monotonic()
        self._steps = 0
        self._input_seconds = 0.0

    def _report(self, step: Step) -> None:
        seconds = time.monotonic() - self._since
        values = {
            "loss": step.loss,
            "learning_rate": float(step.learning_rate),
            "images_per_second": self._steps * self._images_per_step / seconds,
            "input_wait": min(1.0, self._input_seconds / seconds),
        }
        _LOG.info("%s", self._line(step, values, seconds))
        with open(self._path, "a") as metrics:
            metrics.write(json.dumps({"step": step.number, **values}) + "\n")
        for name, value in values.items():
            summary = tf.Summary(
                value=[tf.Summary.Value(tag=f"training/{name}", simple_value=value)]
            )
            self._events.add_summary(summary, step.number)
        self._events.flush()

    def _line(self, step: Step, values: Mapping[str, float], seconds: float) -> str:
        rate = values["images_per_second"]
        line = (
            f"step {step.number}{f'/{self._last_step}' if self._last_step else ''}"
            f"  loss {step.loss:.4f}  lr {step.learning_rate:.4g}"
            f"  {rate:.{0 if rate >= 10 else 1}f} images/s"
            f"  input wait {values['input_wait']:.0%}"
        )
        if self._last_step:
            remaining = (self._last_step - step.number) * seconds / self._steps
            line += f"  ETA {duration(remaining)}"
        return line
