"""Learning-rate schedules: functions of numbers that return step -> learning rate.

They are plain Python, so that a rate can be printed, plotted and tested without a graph; the loop
feeds it. `SCHEDULES` names those that can be chosen, `minimum` joins a warm-up with a decay.
"""

import dataclasses
import logging
import math
from collections.abc import Callable, Sequence
from typing import Any

from slim_internal.ground.errors import UserError
from slim_internal.ground.settings import Settings, setting

_LOG = logging.getLogger(__name__)

# Global step, before its update -> learning rate.
Schedule = Callable[[int], float]

_MAX_EPOCHS = 1_000_000_000


def fixed(value: float) -> Schedule:
    """Returns the schedule that is always the same."""
    return lambda step: value


def exponential(initial: float, factor: float, decay_steps: int) -> Schedule:
    """Returns a staircase: multiplied by the factor after each `decay_steps` steps."""
    return lambda step: initial * factor ** (step // decay_steps)


def polynomial(initial: float, final: float, decay_steps: float, power: float = 1.0) -> Schedule:
    """Returns the way from one value to another in `decay_steps` steps; power 1 is a line."""

    def value(step):
        remaining = 1 - min(step, decay_steps) / decay_steps
        return final + (initial - final) * remaining**power

    return value


def cosine(initial: float, final: float, decay_steps: float) -> Schedule:
    """Returns half a wave from one value to another in `decay_steps` steps (arXiv:1608.03983)."""

    def value(step):
        fraction = min(step, decay_steps) / decay_steps
        return final + (initial - final) * (1 + math.cos(math.pi * fraction)) / 2

    return value


def piecewise(initial: float, changes: Sequence[tuple[float, float]]) -> Schedule:
    """Returns constant pieces: (first step, value) of each but the first, in order of the steps."""

    def value(step):
        return [initial, *(new for first, new in changes if step >= first)][-1]

    return value


def rising(value: float, steps: float) -> Schedule:
    """Returns the line that starts at 0, reaches a value after some steps, and goes on."""
    return lambda step: value * step / steps


def minimum(*schedules: Schedule) -> Schedule:
    """Returns the lowest of several schedules: a warm-up ends where it meets the decay."""
    return lambda step: min(schedule(step) for schedule in schedules)


@dataclasses.dataclass(frozen=True)
class Lengths:
    """Numbers of steps that follow from the settings and the size of the dataset.

    Attributes:
      decay: Steps of `num_epochs_per_decay`, at least 1.
      warm_up: Steps of `warmup_epochs`, a fraction possibly; 0 without a warm-up.
      epoch: Steps of one epoch, a fraction possibly.
      run: Steps of the whole run; None if it has no end.
    """

    decay: int
    warm_up: float
    epoch: float
    run: int | None


def _cosine(settings: Any, lengths: Lengths) -> Schedule:
    if lengths.run is None:
        raise UserError(
            "--learning_rate_decay_type=cosine needs the end of the run: --num_epochs or"
            " --max_number_of_steps."
        )
    return cosine(settings.learning_rate, settings.end_learning_rate, lengths.run)


def _piecewise(settings: Any, lengths: Lengths) -> Schedule:
    text = settings.learning_rate_changes or ""
    try:
        pairs = [tuple(map(float, pair.split(":"))) for pair in text.split(",")]
        changes = [(epoch * lengths.epoch, value) for epoch, value in pairs]
    except ValueError as error:
        raise UserError(
            "--learning_rate_decay_type=piecewise needs --learning_rate_changes=EPOCH:RATE,...,"
            f" 30:0.01,60:0.001 for example; got {text!r}."
        ) from error
    if changes != sorted(changes) or not all(
        0 <= each < math.inf for pair in pairs for each in pair
    ):
        raise UserError(
            "--learning_rate_changes must have rising epochs and learning rates of at least 0; got"
            f" {text!r}."
        )
    return piecewise(settings.learning_rate, changes)


# Name -> function of the settings and the lengths that returns the schedule.
SCHEDULES: dict[str, Callable[[Any, Lengths], Schedule]] = {
    "cosine": _cosine,
    "exponential": lambda settings, lengths: exponential(
        settings.learning_rate, settings.learning_rate_decay_factor, lengths.decay
    ),
    "fixed": lambda settings, lengths: fixed(settings.learning_rate),
    "piecewise": _piecewise,
    "polynomial": lambda settings, lengths: polynomial(
        settings.learning_rate, settings.end_learning_rate, lengths.decay
    ),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScheduleSettings(Settings, subject="Learning rate"):
    """The learning rate of each step."""

    learning_rate: float = setting(0.01, "Initial learning rate.", at_least=0, common=True)
    learning_rate_decay_type: str = setting(
        "exponential",
        "Learning-rate schedule; exponential is a staircase, polynomial is linear, cosine lasts the"
        " whole run, piecewise is constant between changes.",
        choices=tuple(SCHEDULES),
    )
    learning_rate_decay_factor: float = setting(
        0.94, "Factor of one step of the exponential schedule.", at_least=0
    )
    num_epochs_per_decay: float = setting(
        2.0,
        "Epochs between two steps of the exponential schedule, or until the polynomial schedule"
        " reaches its final learning rate.",
        at_least=0,
        at_most=_MAX_EPOCHS,
    )
    end_learning_rate: float = setting(
        0.0001, "Final learning rate of the cosine and polynomial schedules.", at_least=0
    )
    learning_rate_changes: str | None = setting(
        None,
        "Comma-separated changes of the piecewise schedule, each EPOCH:RATE: 30:0.01,60:0.001.",
    )
    find_learning_rate: str | None = setting(
        None,
        "Does not train: tries rising learning rates, draws the losses into this PNG file and"
        " suggests a rate; saves nothing in --train_dir.",
        alone="learning_rate.png",
    )
    warmup_epochs: float = setting(
        0.0,
        "Epochs in which the learning rate rises linearly from 0.",
        at_least=0,
        at_most=_MAX_EPOCHS,
    )


def build(settings: Any, num_samples: int, last_step: int | None = None) -> Schedule:
    """Returns the schedule that the settings of a run name, with its warm-up.

    An epoch is counted by the batches of one clone, whatever their number.

    Args:
      settings: The settings of a training run.
      num_samples: Examples per epoch.
      last_step: Step at which the run ends; None if it has no end.

    Raises:
      UserError: If the schedule lacks what it needs.
    """
    name = settings.learning_rate_decay_type
    if settings.learning_rate_changes and name != "piecewise":
        _LOG.warning("--learning_rate_changes changes nothing with the schedule %s.", name)
    lengths = _lengths(settings, num_samples, last_step)
    schedule = SCHEDULES[name](settings, lengths)
    if lengths.warm_up:
        schedule = minimum(rising(settings.learning_rate, lengths.warm_up), schedule)
    return schedule


def _lengths(settings: Any, num_samples: int, last_step: int | None) -> Lengths:
    batch_size = settings.batch_size * settings.accumulate_steps
    # Multiplied before it is divided, so that a whole number of steps is not rounded to one less.
    return Lengths(
        decay=max(1, int(num_samples * settings.num_epochs_per_decay / batch_size)),
        warm_up=num_samples * settings.warmup_epochs / batch_size,
        epoch=num_samples / batch_size,
        run=last_step,
    )
