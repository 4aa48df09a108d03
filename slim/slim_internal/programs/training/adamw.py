"""Adam with decoupled weight decay (arXiv:1711.05101)."""

from slim_internal.ground.compat import tf


class AdamWOptimizer(tf.train.AdamOptimizer):
    """Adam that pulls kernels to 0 by itself, instead of through the loss.

    Each update takes `learning_rate * weight_decay` of a kernel away. Biases and batch
    normalization, whose variables have one dimension, are left alone.

    Args:
      weight_decay: Fraction that is taken away at a learning rate of 1.
      name: Of what it keeps beside the variables.
      **kwargs: For Adam.
    """

    def __init__(self, weight_decay: float, name: str = "AdamW", **kwargs):
        super().__init__(name=name, **kwargs)
        self._weight_decay = weight_decay

    def apply_gradients(self, grads_and_vars, global_step=None, name=None):
        """Takes the decay away and makes the update of Adam, once all gradients are there."""
        grads_and_vars = list(grads_and_vars)
        factor = tf.cast(self._lr, tf.float32) * self._weight_decay
        with tf.control_dependencies([gradient for gradient, _ in grads_and_vars]):
            decays = [
                tf.assign_sub(variable, factor * variable)
                for gradient, variable in grads_and_vars
                if gradient is not None and variable.shape.rank > 1
            ]
        with tf.control_dependencies(decays):
            return super().apply_gradients(grads_and_vars, global_step, name)
