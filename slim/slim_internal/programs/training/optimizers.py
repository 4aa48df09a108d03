"""Optimizers by name, and their settings.

The table is read without TensorFlow, which takes seconds to load: `--help` lists its names.
"""

import dataclasses
import logging
from collections.abc import Callable, Sequence
from typing import Any

from slim_internal.ground.errors import UserError
from slim_internal.ground.settings import Settings, setting

_LOG = logging.getLogger(__name__)


def _adamw(train: Any, settings: Any, learning_rate: Any) -> Any:
    del train
    from slim_internal.programs.training import adamw  # Here: see the top of the file.

    return adamw.AdamWOptimizer(
        settings.adamw_weight_decay,
        learning_rate=learning_rate,
        beta1=settings.adam_beta1,
        beta2=settings.adam_beta2,
        epsilon=settings.opt_epsilon,
    )


# Name -> function of (tf.train, the settings of a run, learning rate) that returns the optimizer.
OPTIMIZERS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "adadelta": lambda train, settings, learning_rate: train.AdadeltaOptimizer(
        learning_rate, rho=settings.adadelta_rho, epsilon=settings.opt_epsilon
    ),
    "adagrad": lambda train, settings, learning_rate: train.AdagradOptimizer(
        learning_rate, initial_accumulator_value=settings.adagrad_initial_accumulator_value
    ),
    "adam": lambda train, settings, learning_rate: train.AdamOptimizer(
        learning_rate,
        beta1=settings.adam_beta1,
        beta2=settings.adam_beta2,
        epsilon=settings.opt_epsilon,
    ),
    "adamw": _adamw,
    "ftrl": lambda train, settings, learning_rate: train.FtrlOptimizer(
        learning_rate,
        learning_rate_power=settings.ftrl_learning_rate_power,
        initial_accumulator_value=settings.ftrl_initial_accumulator_value,
        l1_regularization_strength=settings.ftrl_l1,
        l2_regularization_strength=settings.ftrl_l2,
    ),
    "momentum": lambda train, settings, learning_rate: train.MomentumOptimizer(
        learning_rate, momentum=settings.momentum, use_nesterov=settings.use_nesterov
    ),
    "rmsprop": lambda train, settings, learning_rate: train.RMSPropOptimizer(
        learning_rate,
        decay=settings.rmsprop_decay,
        momentum=settings.rmsprop_momentum,
        epsilon=settings.opt_epsilon,
    ),
    "sgd": lambda train, settings, learning_rate: train.GradientDescentOptimizer(learning_rate),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class OptimizerSettings(Settings, subject="Optimizer"):
    """The optimizer, and the settings that it or another one has."""

    optimizer: str = setting("rmsprop", "Optimizer.", choices=tuple(OPTIMIZERS), common=True)
    opt_epsilon: float = setting(1.0, "Epsilon of adadelta, adam, adamw and rmsprop.", at_least=0)
    momentum: float = setting(0.9, "Momentum of the momentum optimizer.", at_least=0)
    use_nesterov: bool = setting(
        False, "Nesterov's form of the momentum optimizer: the gradient looks ahead."
    )
    rmsprop_momentum: float = setting(0.9, "Momentum of rmsprop.", at_least=0)
    rmsprop_decay: float = setting(
        0.9,
        "Decay rate of rmsprop's moving average of squared gradients.",
        at_least=0,
        at_most=1,
    )
    adam_beta1: float = setting(
        0.9, "Decay rate of adam's and adamw's first-moment estimate.", at_least=0, at_most=1
    )
    adam_beta2: float = setting(
        0.999, "Decay rate of adam's and adamw's second-moment estimate.", at_least=0, at_most=1
    )
    adamw_weight_decay: float = setting(
        0.01,
        "Decoupled weight decay of adamw on kernels; with adamw the L2 loss of --weight_decay is"
        " left out.",
        at_least=0,
    )
    adadelta_rho: float = setting(
        0.95, "Decay rate of adadelta's moving averages.", at_least=0, at_most=1
    )
    adagrad_initial_accumulator_value: float = setting(
        0.1, "Initial value of adagrad's accumulators."
    )
    ftrl_learning_rate_power: float = setting(
        -0.5, "Power by which ftrl lowers the learning rate; at most 0."
    )
    ftrl_initial_accumulator_value: float = setting(0.1, "Initial value of ftrl's accumulators.")
    ftrl_l1: float = setting(0.0, "L1 regularization strength of ftrl.")
    ftrl_l2: float = setting(0.0, "L2 regularization strength of ftrl.")


def l2_weight(settings: Any) -> float:
    """Returns the weight of the L2 loss: 0 if the optimizer decays the weights itself."""
    return 0.0 if settings.optimizer == "adamw" else settings.weight_decay


def build(settings: Any, learning_rate: Any, new_scopes: Sequence[str] = ()) -> Any:
    """Returns the `tf.train.Optimizer` that the settings of a run name.

    Args:
      settings: The settings of a training run.
      learning_rate: Scalar tensor.
      new_scopes: Scopes that are not restored from a checkpoint.

    Raises:
      UserError: If it does not take its settings.
    """
    from slim_internal.ground.compat import tf  # Here: see the top of the file.
    from slim_internal.programs.training import two_rates

    factor = settings.checkpoint_learning_rate_factor
    if factor != 1 and not new_scopes:
        raise UserError(
            f"--checkpoint_learning_rate_factor={factor:g} needs --checkpoint_exclude_scopes: what"
            " is there learns at the whole rate."
        )
    if settings.use_nesterov and settings.optimizer != "momentum":
        _LOG.warning("--use_nesterov changes nothing with --optimizer=%s.", settings.optimizer)
    make = OPTIMIZERS[settings.optimizer]
    try:
        optimizer = make(tf.train, settings, learning_rate)
        if factor == 1:
            return optimizer
        slow = make(tf.train, settings, factor * learning_rate)
        return two_rates.TwoRatesOptimizer(slow, optimizer, new_scopes)
    except ValueError as error:
        raise UserError(f"--optimizer={settings.optimizer}: {error}") from error
