"""Optimizers by name.

The table is read without TensorFlow, which takes seconds to load: `--help` lists its names.
"""

from collections.abc import Callable
from typing import Any

from slim_internal.ground.errors import UserError, unknown

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
    "ftrl": lambda train, settings, learning_rate: train.FtrlOptimizer(
        learning_rate,
        learning_rate_power=settings.ftrl_learning_rate_power,
        initial_accumulator_value=settings.ftrl_initial_accumulator_value,
        l1_regularization_strength=settings.ftrl_l1,
        l2_regularization_strength=settings.ftrl_l2,
    ),
    "momentum": lambda train, settings, learning_rate: train.MomentumOptimizer(
        learning_rate, momentum=settings.momentum
    ),
    "rmsprop": lambda train, settings, learning_rate: train.RMSPropOptimizer(
        learning_rate,
        decay=settings.rmsprop_decay,
        momentum=settings.rmsprop_momentum,
        epsilon=settings.opt_epsilon,
    ),
    "sgd": lambda train, settings, learning_rate: train.GradientDescentOptimizer(learning_rate),
}


def build(settings: Any, learning_rate: Any) -> Any:
    """Returns the `tf.train.Optimizer` that the settings of a run name.

    Args:
      settings: The settings of a training run.
      learning_rate: Scalar tensor.

    Raises:
      UserError: If there is none of that name, or it does not take its settings.
    """
    from slim_internal.ground.compat import tf  # Here: see the top of the file.

    if settings.optimizer not in OPTIMIZERS:
        raise unknown("optimizer", settings.optimizer, OPTIMIZERS)
    try:
        return OPTIMIZERS[settings.optimizer](tf.train, settings, learning_rate)
    except ValueError as error:
        raise UserError(f"--optimizer={settings.optimizer}: {error}") from error
