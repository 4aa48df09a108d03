"""Mixes the examples of a batch with each other, and their labels in the same proportion.

Each image is mixed with one partner: the batch read from its end. `MIXINGS` names what can be done
with a pair; each is on when its setting `<name>_alpha` is above 0. A batch undergoes one of those
that are on, picked at random. What is drawn depends on the seed and the step alone.
"""

from collections.abc import Callable, Mapping

import numpy as np

from slim_internal.ground.compat import tf

# Function of (images, partners, fraction, key) that returns the mixed images and the fraction of
# the first ones that is left in them. The fraction is wanted, 0 to 1; the key is a seed.
Mixing = Callable[
    [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor],
    tuple[tf.Tensor, tf.Tensor],
]


def mixup(images, partners, fraction, key):
    """Fades one image into the other (arXiv:1710.09412)."""
    del key
    return fraction * images + (1 - fraction) * partners, fraction


def cutmix(images, partners, fraction, key):
    """Pastes a rectangle of the other image at the same place (arXiv:1905.04899)."""
    center = tf.random.stateless_uniform([2], key)
    length = tf.sqrt(1 - fraction)

    def inside(size, middle):
        positions = (tf.range(size, dtype=tf.float32) + 0.5) / size
        return tf.abs(positions - middle) < length / 2

    height, width = images.shape.as_list()[1:3]
    rows, columns = inside(height, center[0]), inside(width, center[1])
    pasted = rows[:, tf.newaxis] & columns
    mixed = tf.where_v2(pasted[:, :, tf.newaxis], partners, images)
    return mixed, 1 - tf.reduce_mean(tf.cast(pasted, tf.float32))  # Part of it may lie outside.


MIXINGS: dict[str, Mixing] = {
    "cutmix": cutmix,
    "mixup": mixup,
}


def mix(
    images: tf.Tensor, targets: tf.Tensor, alphas: Mapping[str, float], seed: int, step: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns a batch mixed with itself, and its labels.

    Args:
      images: float32 [batch, height, width, channels] of a fixed size.
      targets: float32 [batch, classes], the probability of each class.
      alphas: Name in `MIXINGS` -> alpha of the beta distribution that the fraction is drawn from;
        1 draws all fractions alike, less prefers those near 0 and 1, 0 switches it off.
      seed: Number of the run.
      step: Scalar integer tensor.
    """
    chosen = [(MIXINGS[name], alpha) for name, alpha in sorted(alphas.items()) if alpha]
    if not chosen:
        return images, targets

    def key(number):
        return tf.stack([tf.cast(step, tf.int64), seed * 4 + number])

    def mixed(mixing, alpha):
        pairs = images, tf.reverse(images, [0])
        new, fraction = mixing(*pairs, _beta(alpha, key(0), key(3)), key(1))
        return new, fraction * targets + (1 - fraction) * tf.reverse(targets, [0])

    if not chosen[1:]:
        return mixed(*chosen[0])
    index = tf.random.stateless_uniform([], key(2), 0, len(chosen), dtype=tf.int32)
    return tf.switch_case(index, [lambda pair=pair: mixed(*pair) for pair in chosen])


def _beta(alpha: float, *keys: tf.Tensor) -> tf.Tensor:
    """Draws a number of the symmetric beta distribution.

    It is the part of one gamma variate in the sum of two. They are drawn as logarithms: where alpha
    is small, both may be too small for a number.
    """
    gammas = tf.random.stateless_gamma([2], keys[0], alpha + 1)
    # Below 1e-38 it could be 0, and has no logarithm.
    factors = tf.random.stateless_uniform([2], keys[1], np.finfo(np.float32).tiny)
    logarithms = tf.math.log(gammas) + tf.math.log(factors) / alpha
    return tf.sigmoid(logarithms[0] - logarithms[1])
