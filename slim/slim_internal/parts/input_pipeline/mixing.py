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

MIXINGS: dict[str, Mixing] = {}


def named(mixing: Mixing) -> Mixing:
    """Enters a function into `MIXINGS` under its own name."""
    MIXINGS[mixing.__name__] = mixing
    return mixing


@named
def mixup(images, partners, fraction, key):
    """Fades one image into the other (arXiv:1710.09412)."""
    del key
    return fraction * images + (1 - fraction) * partners, fraction


@named
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


def mix(
    images: tf.Tensor, alphas: Mapping[str, float], seed: int, step: tf.Tensor
) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
    """Returns a batch mixed with itself, and a function that mixes its labels likewise.

    Args:
      images: float32 [batch, height, width, channels] of a fixed size.
      alphas: Name in `MIXINGS` -> alpha of the beta distribution that the fraction is drawn from;
        1 draws all fractions alike, less prefers those near 0 and 1, 0 switches it off.
      seed: Number of the run.
      step: Scalar integer tensor.

    Returns:
      The images; a function of float32 [batch, classes], the probability of each class.
    """
    chosen = [(MIXINGS[name], alpha) for name, alpha in sorted(alphas.items()) if alpha]
    if not chosen:
        return images, lambda targets: targets

    def key(number):
        return tf.stack([tf.cast(step, tf.int64), seed * 4 + number])

    def mixed(mixing, alpha):
        fraction = _beta(alpha, key(0), key(1))
        return mixing(images, tf.reverse(images, [0]), fraction, key(2))

    index = tf.random.stateless_uniform([], key(3), 0, len(chosen), dtype=tf.int32)
    branches = [lambda pair=pair: mixed(*pair) for pair in chosen]
    images, fraction = tf.switch_case(index, branches) if branches[1:] else branches[0]()
    return images, lambda targets: fraction * targets + (1 - fraction) * tf.reverse(targets, [0])


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
