"""Initial values that several families of networks share."""

from slim_internal.ground.compat import tf


def trunc_normal(stddev: float):
    """Returns a normal distribution around zero, redrawn beyond two standard deviations."""
    return tf.truncated_normal_initializer(0.0, stddev)
