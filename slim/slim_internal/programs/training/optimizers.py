"""Optimizers by name."""

from slim_internal.ground.compat import tf
from slim_internal.ground.errors import UserError, unknown
from slim_internal.programs.training.settings import TrainConfig

_BUILDERS = {
    "adadelta": lambda config, learning_rate: tf.train.AdadeltaOptimizer(
        learning_rate, rho=config.adadelta_rho, epsilon=config.opt_epsilon
    ),
    "adagrad": lambda config, learning_rate: tf.train.AdagradOptimizer(
        learning_rate, initial_accumulator_value=config.adagrad_initial_accumulator_value
    ),
    "adam": lambda config, learning_rate: tf.train.AdamOptimizer(
        learning_rate,
        beta1=config.adam_beta1,
        beta2=config.adam_beta2,
        epsilon=config.opt_epsilon,
    ),
    "ftrl": lambda config, learning_rate: tf.train.FtrlOptimizer(
        learning_rate,
        learning_rate_power=config.ftrl_learning_rate_power,
        initial_accumulator_value=config.ftrl_initial_accumulator_value,
        l1_regularization_strength=config.ftrl_l1,
        l2_regularization_strength=config.ftrl_l2,
    ),
    "momentum": lambda config, learning_rate: tf.train.MomentumOptimizer(
        learning_rate, momentum=config.momentum
    ),
    "rmsprop": lambda config, learning_rate: tf.train.RMSPropOptimizer(
        learning_rate,
        decay=config.rmsprop_decay,
        momentum=config.rmsprop_momentum,
        epsilon=config.opt_epsilon,
    ),
    "sgd": lambda config, learning_rate: tf.train.GradientDescentOptimizer(learning_rate),
}


def build(config: TrainConfig, learning_rate: tf.Tensor) -> tf.train.Optimizer:
    """Returns the optimizer that the settings name.

    Raises:
      UserError: If there is none of that name, or it does not take its settings.
    """
    if config.optimizer not in _BUILDERS:
        raise unknown("optimizer", config.optimizer, _BUILDERS)
    try:
        return _BUILDERS[config.optimizer](config, learning_rate)
    except ValueError as error:
        raise UserError(f"--optimizer={config.optimizer}: {error}") from error
