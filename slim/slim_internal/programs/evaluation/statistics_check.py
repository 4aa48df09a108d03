"""Notices that the statistics of batch normalization do not fit the weights.

A run that was killed early, or by another program, may leave moving statistics that still hold a
part of their initial values: then the weights are better than an evaluation shows. A few layers
tell whether their moving statistics are far from those of a batch, at little cost. Only if they
are, the first images go through the network a second time, normalized by the statistics of their
own batch. If that makes many more of them right, the moving ones cannot be.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np

from slim_internal.ground.compat import batch_norm, tf
from slim_internal.parts.inference import graph as inference_graph
from slim_internal.parts.inference.description import ModelDescription

# Enough to see what is worth a warning, and few enough to be kept.
_NUM_IMAGES = 200
# So many of them go through the network at once.
_BATCH = 50
# Layers, and images of a batch, whose statistics are looked at; fewer images have none to speak of.
# Layers from the middle to the last: TensorFlow cannot fuse those that are looked at with their
# convolutions, which costs most where feature maps are large, and when a network is fine-tuned,
# the statistics of its last layers are left behind most.
_NUM_LAYERS = 3
_SAMPLE = 16
# Distance of moving statistics from those of a batch that calls for the second pass. Measured
# where they fit: 0.3 (photographs, mobilenet_v1), 0.45 (digits, mobilenet_v1_025); with a decay
# that is too slow: 0.7 after 80 steps of fine-tuning, 5 after 150 steps from scratch.
_SUSPICIOUS = 0.5
# Standard deviations, in McNemar's test of answers that are right in one way only; by chance one
# evaluation in 3,000 is beyond. And what is large enough to care.
_DEVIATIONS = 3.5
_FRACTION = 0.05

_DISTANCE = "statistics_distance"
_KEPT = ("records", "labels", "logits")


class StatisticsCheck:
    """Compares answers with moving statistics and with those of the batch.

    Args:
      model: The network, which the default graph has already, as it was built by a checkpoint.
      images: Its images, float32 [batch, *model.example_shape].
      logits: What it answers, float32 [batch, classes].
      prepare: Function of a serialized example, a scalar tensor, that returns its image,
        float32 [1, *model.example_shape].
    """

    def __init__(
        self,
        model: ModelDescription,
        images: tf.Tensor,
        logits: tf.Tensor,
        prepare: Callable[[tf.Tensor], tf.Tensor],
    ):
        self._model, self._images, self._prepare = model, images, prepare
        self._distance = _distance(logits)
        self._distances: list[float] = []
        self._kept: list[dict[str, np.ndarray]] = []

    def fetches(self) -> dict[str, tf.Tensor]:
        """Returns what each batch is to be asked for as well.

        That is the same for all of them, as TensorFlow prepares a graph for each set of fetches,
        and little: images, which are large, are made of the records again if need be.
        """
        return {} if self._distance is None else {_DISTANCE: self._distance}

    def add(self, batch: dict[str, np.ndarray]) -> None:
        """Takes what it has asked for out of a batch, and keeps it if it is one of the first."""
        distance = batch.pop(_DISTANCE, None)
        missing = _NUM_IMAGES - sum(len(each["labels"]) for each in self._kept)
        if distance is not None and missing > 0 and len(batch["labels"]) >= _SAMPLE:
            self._distances.append(float(distance))
            self._kept.append({name: batch[name][:missing] for name in _KEPT})

    def warnings(self, session: tf.Session, checkpoint_path: str) -> list[str]:
        """Returns what is wrong and what helps, if anything is.

        Args:
          session: Has the network and its weights; the network is added once more if need be.
          checkpoint_path: What is evaluated.
        """
        # Not "<": a distance that is not a number calls for the second pass, too.
        if not self._kept or np.mean(self._distances) < _SUSPICIOUS:
            return []
        records, labels, moving = (np.concatenate([e[n] for e in self._kept]) for n in _KEPT)
        images = self._images_of(session)
        outputs = _with_statistics_of_the_batch(self._model, self._images)
        own = [
            session.run(outputs, {self._images: images(part)})
            for part in np.array_split(records, math.ceil(len(records) / _BATCH))
        ]
        return compare(labels, moving, np.concatenate(own), checkpoint_path)

    def _images_of(self, session: tf.Session) -> Callable[[Sequence[bytes]], np.ndarray]:
        """Returns the function of serialized examples that returns their images."""
        record = tf.placeholder(tf.string, [])
        prepared = session.make_callable(self._prepare(record), [record])
        return lambda records: np.concatenate([prepared(each) for each in records])


def compare(
    labels: np.ndarray, moving: np.ndarray, own: np.ndarray, checkpoint_path: str
) -> list[str]:
    """Returns what is wrong with the moving statistics and what helps, if anything is.

    Args:
      labels: [images].
      moving: Logits with the moving statistics, [images, classes].
      own: Logits with the statistics of the batch, [images, classes].
      checkpoint_path: What is evaluated.
    """
    with_moving, with_own = (logits.argmax(axis=-1) == labels for logits in (moving, own))
    gain = int(with_own.sum()) - int(with_moving.sum())
    changed = int((with_own != with_moving).sum())
    if gain <= max(_FRACTION * len(labels), _DEVIATIONS * math.sqrt(changed)):
        return []
    return [
        "The moving statistics of batch normalization do not fit the weights: of the first"
        f" {len(labels)} images {with_moving.mean():.1%} are right with them,"
        f" {with_own.mean():.1%} with the statistics of the batch. Estimate them anew:"
        " train_image_classifier --reestimate_batch_norm=100"
        f" --checkpoint_path={checkpoint_path} --train_dir=NEW_FOLDER, with the dataset of the"
        " training. A run that reaches its end does so by itself (--final_statistics_batches)."
    ]


def _distance(logits: tf.Tensor) -> tf.Tensor | None:
    """Adds how far the moving statistics of some layers are from those of a batch.

    Args:
      logits: Only layers that lead to them count: those of an auxiliary head are not restored.

    Returns:
      float32 scalar, the mean over layers and channels of the distance of the means in standard
      deviations and that of the variances as a logarithm; None if there is no such layer.
    """
    used = inference_graph.operations_above(logits)
    layers = [
        each
        for each in logits.graph.get_operations()
        if each.type == "FusedBatchNormV3" and each in used
    ]
    if not layers:
        return None
    found = []
    for number in np.unique(np.linspace(len(layers) // 2, len(layers) - 1, _NUM_LAYERS, dtype=int)):
        layer = layers[number]
        inputs, _, _, moving_mean, moving_variance = layer.inputs
        mean, variance = tf.nn.moments(inputs[:_SAMPLE], [0, 1, 2])
        epsilon = layer.get_attr("epsilon")
        scale = tf.rsqrt(moving_variance + epsilon)
        ratio = tf.log((variance + epsilon) * tf.square(scale))
        found.append(tf.reduce_mean(tf.abs(mean - moving_mean) * scale + tf.abs(ratio)))
    return tf.add_n(found) / len(found)


def _with_statistics_of_the_batch(model: ModelDescription, images: tf.Tensor) -> tf.Tensor:
    """Adds the network once more, with the same variables, normalized by the batch.

    Returns:
      Its logits, float32 [batch, classes].
    """
    scope = tf.get_variable_scope()
    with tf.name_scope("batch_statistics"), batch_norm.training_everywhere():
        with tf.variable_scope(scope, reuse=True, auxiliary_name_scope=False):
            return inference_graph.logits(model, images)
