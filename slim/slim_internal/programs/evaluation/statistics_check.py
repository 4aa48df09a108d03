"""Notices that the statistics of batch normalization do not fit the weights.

A run that was killed early, or by another program, may leave moving statistics that still hold a
part of their initial values: then the weights are better than an evaluation shows. The first images
go through the network a second time, normalized by the statistics of their own batch. If that makes
many more of them right, the moving statistics cannot be.
"""

import math

import numpy as np

from slim_internal.ground.compat import batch_norm, slim, tf
from slim_internal.parts.inference import graph as inference_graph
from slim_internal.parts.inference.description import ModelDescription

# Enough to see what is worth a warning, and few enough to cost little.
_NUM_IMAGES = 200
# Smaller batches have no statistics to speak of.
_SMALLEST_BATCH = 16
# Standard deviations, in McNemar's test of answers that are right in one way only; by chance one
# evaluation in 3,000 is beyond. And what is large enough to care.
_DEVIATIONS = 3.5
_FRACTION = 0.05


class StatisticsCheck:
    """Compares answers with moving statistics and with those of the batch.

    Args:
      logits: Those of `with_statistics_of_the_batch`; None to compare nothing.
    """

    def __init__(self, logits: tf.Tensor | None):
        self._logits = logits
        self._better = self._worse = self._seen = 0
        self._right = [0, 0]  # With the moving statistics, with those of the batch.

    def fetches(self) -> dict[str, tf.Tensor]:
        """Returns what the next batch is to be asked for as well; nothing most of the time."""
        wanted = self._logits is not None and self._seen < _NUM_IMAGES
        return {"batch_logits": self._logits} if wanted else {}

    def add(self, batch: dict[str, np.ndarray]) -> None:
        """Takes what it has asked for out of a batch, and counts it."""
        logits = batch.pop("batch_logits", None)
        if logits is None or len(logits) < _SMALLEST_BATCH:
            return
        moving, own = (
            each.argmax(axis=-1) == batch["labels"] for each in (batch["logits"], logits)
        )
        self._seen += len(own)
        self._better += int((own & ~moving).sum())
        self._worse += int((moving & ~own).sum())
        self._right = [self._right[0] + int(moving.sum()), self._right[1] + int(own.sum())]

    def warnings(self, checkpoint_path: str) -> list[str]:
        """Returns what is wrong and what helps, if anything is."""
        gain = self._better - self._worse
        if gain <= max(_FRACTION * self._seen, _DEVIATIONS * math.sqrt(self._better + self._worse)):
            return []
        moving, own = (right / self._seen for right in self._right)
        return [
            "The moving statistics of batch normalization do not fit the weights: of the first"
            f" {self._seen} images {moving:.1%} are right with them, {own:.1%} with the statistics"
            " of the batch. Estimate them anew: train_image_classifier --reestimate_batch_norm=100"
            f" --checkpoint_path={checkpoint_path} --train_dir=NEW_FOLDER, with the dataset of the"
            " training. A run that reaches its end does so by itself (--final_statistics_batches)."
        ]


def with_statistics_of_the_batch(model: ModelDescription, images: tf.Tensor) -> tf.Tensor | None:
    """Adds the network once more, with the same variables, normalized by the batch.

    Args:
      model: The network, which the default graph has already.
      images: Its images, float32 [batch, *model.example_shape].

    Returns:
      Its logits, float32 [batch, classes]; None if it has no batch normalization.
    """
    names = (variable.op.name for variable in slim.get_model_variables())
    if not any(name.endswith("/moving_variance") for name in names):
        return None
    scope = tf.get_variable_scope()
    with tf.name_scope("batch_statistics"), batch_norm.training_everywhere():
        with tf.variable_scope(scope, reuse=True, auxiliary_name_scope=False):
            return inference_graph.logits(model, images)
