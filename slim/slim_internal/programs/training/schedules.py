"""Learning-rate schedules: functions of numbers that return step -> learning rate.

They are plain Python, so that a rate can be printed, plotted and tested without a graph; the loop
feeds it. `SCHEDULES` names those that can be chosen, `minimum` joins a warm-up with a decay.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

from slim_internal.ground.settings import Settings, setting

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
    """

    decay: int
    warm_up: float


# Name -> function of the settings and the lengths that returns the schedule.
SCHEDULES: dict[str, Callable[[Any, Lengths], Schedule]] = {
    "exponential": lambda settings, lengths: exponential(
        settings.learning_rate, settings.learning_rate_decay_factor, lengths.decay
    ),
    "fixed": lambda settings, lengths: fixed(settings.learning_rate),
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
        "Learning-rate schedule; exponential is a staircase, polynomial is linear.",
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
        0.0001, "Final learning rate of the polynomial schedule.", at_least=0
    )
    warmup_epochs: float = setting(
        0.0,
        "Epochs in which the learning rate rises linearly from 0.",
        at_least=0,
        at_most=_MAX_EPOCHS,
    )


def build(settings: Any, num_samples: int) -> Schedule:
    """Returns the schedule that the settings of a run name, with its warm-up.

    An epoch is counted by the batches of one clone, whatever their number.

    Args:
      settings: The settings of a training run.
      num_samples: Examples per epoch.
    """
    name = settings.learning_rate_decay_type
    lengths = _lengths(settings, num_samples)
    schedule = SCHEDULES[name](settings, lengths)
    if lengths.warm_up:
        schedule = minimum(rising(settings.learning_rate, lengths.warm_up), schedule)
    return schedule


def _lengths(settings: Any, num_samples: int) -> Lengths:
    # Multiplied before it is divided, so that a whole number of steps is not rounded to one less.
    return Lengths(
        decay=max(1, int(num_samples * settings.num_epochs_per_decay / settings.batch_size)),
        warm_up=num_samples * settings.warmup_epochs / settings.batch_size,
    )
