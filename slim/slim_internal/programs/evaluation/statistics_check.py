"""Notices that the statistics of batch normalization do not fit the weights.

A run that was killed early, or by another program, may leave moving statistics that still hold a
part of their initial values: then the weights are better than an evaluation shows. A few layers
tell whether their moving statistics are far from those of a batch, at little cost. Only if they
are, the first images go through the network a second time, normalized by the statistics of their
own batch. If that makes many more of them right, the moving ones cannot be.
"""

import contextlib
import dataclasses
import math
from collections.abc import Callable, Sequence

import numpy as np

from slim_internal.ground.compat import tf
from slim_internal.parts.inference import graph as inference_graph

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

# Channels that a layer scales by less are as good as switched off: they tell nothing.
_SMALLEST_SCALE = 1e-3

_DISTANCE = "statistics_distance"
_KEPT = ("records", "labels", "logits")

# Opens a function of images, float32 [batch, ...], that returns logits.
Opener = Callable[[], contextlib.AbstractContextManager[Callable[[np.ndarray], np.ndarray]]]


@dataclasses.dataclass(frozen=True)
class Layer:
    """A batch normalization, by what its moving statistics say of its outputs.

    Attributes:
      name: Its outputs, the name of a tensor [batch, height, width, channels].
      mean: What they are on average, [channels].
      scale: What they are scaled by, [channels].
      rest: Fraction of the variance that is no variance but epsilon, [channels].
    """

    name: str
    mean: np.ndarray
    scale: np.ndarray
    rest: np.ndarray


class StatisticsCheck:
    """Compares answers with moving statistics and with those of the batch.

    Args:
      normalized: Layers of the network, and what they give in the default graph.
      open_network: Opens the network so that it normalizes by the statistics of the batch.
      prepare: Function of a serialized example, a scalar tensor, that returns its image, a tensor
        float32 [1, height, width, channels].
    """

    def __init__(
        self,
        normalized: Sequence[tuple[tf.Tensor, Layer]],
        open_network: Opener,
        prepare: Callable[[tf.Tensor], tf.Tensor],
    ):
        self._open_network, self._prepare = open_network, prepare
        self._distance = _distance(normalized) if normalized else None
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
          session: Prepares the images once more if need be; it has the default graph.
          checkpoint_path: What is evaluated.
        """
        # Not "<": a distance that is not a number calls for the second pass, too.
        if not self._kept or np.mean(self._distances) < _SUSPICIOUS:
            return []
        records, labels, moving = (np.concatenate([e[n] for e in self._kept]) for n in _KEPT)
        images = self._images_of(session)
        with self._open_network() as logits:
            own = [
                logits(images(part))
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


def layers(session: tf.Session, logits: tf.Tensor) -> list[Layer]:
    """Returns the layers whose statistics are looked at; none if there is no batch normalization.

    Args:
      session: Has the weights.
      logits: Only layers that lead to them count: those of an auxiliary head are not restored.
    """
    used = inference_graph.operations_above(logits)
    found = [
        each
        for each in logits.graph.get_operations()
        if each.type == "FusedBatchNormV3" and each in used
    ]
    if not found:
        return []
    places = np.linspace(len(found) // 2, len(found) - 1, _NUM_LAYERS, dtype=int)
    chosen = [found[place] for place in np.unique(places)]
    read = session.run([list(each.inputs)[1:] for each in chosen])
    taken = []
    for operation, (scale, offset, _, variance) in zip(chosen, read, strict=True):
        epsilon = operation.get_attr("epsilon")
        rest = epsilon / np.maximum(variance + epsilon, epsilon)  # None of a damaged one is less.
        taken.append(Layer(operation.outputs[0].name, offset, scale, rest))
    return taken


def _distance(normalized: Sequence[tuple[tf.Tensor, Layer]]) -> tf.Tensor:
    """Adds how far the moving statistics of some layers are from those of a batch.

    That is read from what comes out of the layers, as a folded one has nothing else.

    Returns:
      float32 scalar, the mean over layers and channels of the distance of the means in standard
      deviations and that of the variances as a logarithm.
    """
    found = []
    for outputs, layer in normalized:
        kept = np.flatnonzero(np.abs(layer.scale) > _SMALLEST_SCALE)
        sample = tf.gather(outputs[:_SAMPLE], kept, axis=-1)
        mean, variance = tf.nn.moments((sample - layer.mean[kept]) / layer.scale[kept], [0, 1, 2])
        ratio = tf.log(variance + layer.rest[kept])
        found.append(tf.reduce_mean(tf.abs(mean) + tf.abs(ratio)))
    return tf.add_n(found) / len(found)
