"""An optimizer that changes what came from a checkpoint more slowly than what is new."""

from collections.abc import Sequence

from slim_internal.ground.compat import tf
from slim_internal.parts.checkpoints.restore import in_scopes


class TwoRatesOptimizer(tf.train.Optimizer):
    """Two optimizers of one kind with different learning rates.

    Args:
      slow: For the variables of the checkpoint.
      fast: For the variables in the scopes.
      scopes: What is not taken from the checkpoint.
      name: Of the operations.
    """

    def __init__(
        self,
        slow: tf.train.Optimizer,
        fast: tf.train.Optimizer,
        scopes: Sequence[str],
        name: str = "TwoRates",
    ):
        super().__init__(use_locking=False, name=name)
        self._slow = slow
        self._fast = fast
        self._scopes = scopes

    def apply_gradients(self, grads_and_vars, global_step=None, name=None):
        """Makes both updates, and counts them as one."""
        pairs = list(grads_and_vars)
        new = [pair for pair in pairs if in_scopes(pair[1].op.name, self._scopes)]
        old = [pair for pair in pairs if not in_scopes(pair[1].op.name, self._scopes)]
        if not new:
            return self._slow.apply_gradients(old, global_step, name)
        with tf.control_dependencies([self._slow.apply_gradients(old)] if old else []):
            return self._fast.apply_gradients(new, global_step, name)

    def variables(self):
        """Returns what both keep beside the variables that are trained."""
        return [*self._slow.variables(), *self._fast.variables()]
