"""What a training run does beside its steps: it reports, saves, and watches.

The loop only makes steps. Before each one it asks its hooks what else to fetch, and afterwards it
shows them what came of it, in their order. A `Timer` says when something periodic is due.
"""

import dataclasses
import glob
import logging
import math
import os
import time
from collections.abc import Collection, Mapping
from typing import Any

from slim_internal.ground.compat import first_cause, paths, tf
from slim_internal.ground.errors import UserError
from slim_internal.parts.input_pipeline import damage
from slim_internal.parts.metrics.tensorboard import TensorBoard

_LOG = logging.getLogger(__name__)


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
        self._asked: int | None = None
        self.restart()
        if at_once:
            self._since = -math.inf

    def due(self, step: int) -> bool:
        """Returns whether it is time, `step` steps having been made.

        Steps that were not asked about since the last time, for other workers made them, count.
        """
        before = step - 1 if self._asked is None else min(self._asked, step - 1)
        self._asked = step
        if self._every_steps and step // self._every_steps > before // self._every_steps:
            return True
        if self._every_secs is not None and time.monotonic() - self._since >= self._every_secs:
            return True
        return any(before < at <= step for at in self._at_steps)

    def restart(self) -> None:
        """Counts the seconds from now on."""
        self._asked = None
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
            raise damage.LabelsOutsideError(
                f"With --labels_offset={self._labels_offset} the labels of a batch are {smallest}"
                f" to {largest}, but the network has the classes 0 to {self._num_classes - 1}.",
                self._num_classes,
                self._labels_offset,
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
      every_steps: Steps between two checkpoints; None to go by the seconds alone.
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
        every_steps: int | None = None,
        checkpoint: str | None,
        first_step: int,
    ):
        self.checkpoint = checkpoint
        self._session = session
        self._saver = saver
        self._path = os.path.join(train_dir, "model.ckpt")
        self._finite = finite
        self._timer = Timer(every_steps=every_steps, every_secs=every_secs)
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
            )
        except tf.errors.OpError as error:  # A full disk, most likely.
            for unfinished in glob.glob(f"{glob.escape(self._path)}-{step}.*tempstate*"):
                os.remove(unfinished)
            raise UserError(
                f"Step {step} cannot be saved: {first_cause(error)}. {self._last_good()}"
            ) from error
        except ValueError as error:  # TensorFlow's, for a folder that is not there.
            folder = os.path.dirname(self._path)
            if os.path.isdir(folder):
                raise
            raise UserError(
                f"Step {step} cannot be saved: {folder} was removed while training ran there."
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
      board: Writes them.
      every_secs: Seconds between two of them.
    """

    def __init__(self, summaries: tf.Tensor, board: TensorBoard, every_secs: float):
        self._summaries = summaries
        self._board = board
        self._timer = Timer(every_secs=every_secs, at_once=True)

    def fetches(self, step):
        """Asks for the summaries if it is time."""
        return {"summaries": self._summaries} if self._timer.due(step + 1) else {}

    def after_step(self, step):
        """Writes the summaries that were asked for."""
        if "summaries" in step.values:
            self._board.add_merged(step.number, step.values["summaries"])
            self._timer.restart()
