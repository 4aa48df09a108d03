"""Adds up the gradients of several batches before an update, as if they were one batch."""

import dataclasses
from collections.abc import Sequence

from slim_internal.ground.compat import tf

Gradients = list[tuple[tf.Tensor, tf.Variable]]


@dataclasses.dataclass(frozen=True)
class Accumulation:
    """The sums, which no checkpoint holds.

    Attributes:
      steps: Batches of an update.
      batch: Scalar int64, the number of the batch in its update, from 0.
    """

    steps: int
    batch: tf.Variable

    def add(
        self, loss: tf.Tensor, gradients: Gradients, updates: Sequence[tf.Operation]
    ) -> tuple[tf.Tensor, Gradients, tf.Operation, list[tf.Variable]]:
        """Returns what the update uses in the place of one batch.

        Args:
          loss: Loss of a batch.
          gradients: Gradients of a batch, and the variables.
          updates: What else a batch does.

        Returns:
          The mean loss and the mean gradients of all batches, the last of which is computed with
          them; the operation that adds one of the others; the variables to empty after their use.
        """
        used = [(gradient, variable) for gradient, variable in gradients if gradient is not None]
        values = [loss, *(tf.convert_to_tensor(gradient) for gradient, _ in used)]
        parts = [value / self.steps for value in values]
        sums = [_local(part.shape, part.dtype) for part in parts]
        means = [total + part for total, part in zip(sums, parts, strict=True)]
        added = [tf.assign_add(total, part) for total, part in zip(sums, parts, strict=True)]
        with tf.control_dependencies([*added, *updates]):
            accumulate = tf.assign_add(self.batch, 1).op
        mean_gradients = [(mean, pair[1]) for mean, pair in zip(means[1:], used, strict=True)]
        return means[0], mean_gradients, accumulate, [*sums, self.batch]

    def widen(self, label_range: tf.Tensor) -> tuple[tf.Tensor, tf.Operation, tf.Variable]:
        """Returns the range of the labels of all batches of an update, and 0.

        Args:
          label_range: int64 [2], the smallest and the largest label of a batch.

        Returns:
          The range with that of the batches before; the operation that keeps it; the variable to
          empty after its use.
        """
        kept = _local([2], tf.int64)
        smallest = tf.minimum(kept[0], label_range[0])
        widened = tf.stack([smallest, tf.maximum(kept[1], label_range[1])])
        return widened, tf.assign(kept, widened).op, kept


def emptied(variables: Sequence[tf.Variable]) -> tf.Operation:
    """Returns a new operation that sets variables to 0, under the control dependencies of now."""
    return tf.group(*[tf.assign(each, tf.zeros(each.shape, each.dtype)) for each in variables])


def begin(steps: int) -> Accumulation:
    """Returns the sums of no batch yet."""
    return Accumulation(steps, _local([], tf.int64))


def _local(shape, dtype) -> tf.Variable:
    return tf.Variable(
        tf.zeros(shape, dtype), trainable=False, collections=[tf.GraphKeys.LOCAL_VARIABLES]
    )
