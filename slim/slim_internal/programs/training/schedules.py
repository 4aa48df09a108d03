"""Learning rates as functions of the step."""

from slim_internal.ground.compat import tf
from slim_internal.ground.errors import unknown
from slim_internal.programs.training.settings import TrainConfig

_DECAYS = {
    # Whole numbers are divided: TensorFlow multiplies by the reciprocal, which at the very step of
    # a decay may give a little less than 1.
    "exponential": lambda config, step, decay_steps: tf.train.exponential_decay(
        config.learning_rate, step // decay_steps, 1, config.learning_rate_decay_factor
    ),
    "fixed": lambda config, step, decay_steps: tf.constant(config.learning_rate),
    "polynomial": lambda config, step, decay_steps: tf.train.polynomial_decay(
        config.learning_rate, step, decay_steps, config.end_learning_rate, power=1.0
    ),
}


def build(config: TrainConfig, num_samples: int, step: tf.Tensor) -> tf.Tensor:
    """Returns the learning rate of a step.

    An epoch is counted by the batches of one clone, whatever their number.

    Args:
      config: The settings.
      num_samples: Examples per epoch.
      step: The global step, before the update.

    Raises:
      UserError: If there is no decay of that name.
    """
    if config.learning_rate_decay_type not in _DECAYS:
        raise unknown("learning_rate_decay_type", config.learning_rate_decay_type, _DECAYS)
    # Multiplied before it is divided, so that a whole number of steps is not rounded to one less.
    decay_steps = max(1, int(num_samples * config.num_epochs_per_decay / config.batch_size))
    learning_rate = _DECAYS[config.learning_rate_decay_type](config, step, decay_steps)
    if config.warmup_epochs:
        warmup_steps = num_samples * config.warmup_epochs / config.batch_size
        rising = config.learning_rate * tf.cast(step, tf.float32) / warmup_steps
        learning_rate = tf.minimum(rising, learning_rate)
    return learning_rate
