"""What every network asks of its arguments, and how it says what is wrong with them.

Only static shapes are looked at: an unknown dimension passes, an unknown rank does not, for layers
cannot be built without the number of channels.
"""

import math
import numbers
from collections.abc import Iterable

import numpy as np

from slim_internal.ground import errors
from slim_internal.ground.compat import tf


def images(inputs, minimum: int = 1) -> None:
    """Requires [batch, height, width, channels] of at least `minimum` x `minimum` pixels.

    Raises:
      errors.UserError: for another rank, for smaller images or for values that are no floats.
    """
    _check(inputs, "Images", ("batch", "height", "width", "channels"), minimum)


def clips(inputs, minimum: int = 1) -> None:
    """Requires [batch, frames, height, width, channels] of at least `minimum` x `minimum` pixels.

    Raises:
      errors.UserError: for another rank, for smaller images or for values that are no floats.
    """
    _check(inputs, "Clips", ("batch", "frames", "height", "width", "channels"), minimum)


def known_size(inputs) -> None:
    """Requires images [batch, height, width, channels] of which height and width are known.

    Raises:
      errors.UserError: if either is not.
    """
    shape, _ = _static(inputs)
    if not shape[1:3].is_fully_defined():
        raise errors.UserError(
            f"This network needs images of known height and width; received shape {shape}."
        )


def one_position(net, remedy: str) -> None:
    """Requires a feature map [batch, 1, 1, channels], so that one position can be squeezed away.

    Args:
      net: The feature map.
      remedy: A sentence saying how the caller can avoid a larger map.

    Raises:
      errors.UserError: if the height or the width is known and is not 1.
    """
    height, width = net.shape.as_list()[1:3]
    if height not in (None, 1) or width not in (None, 1):
        raise errors.UserError(
            f"The classifier gives {height}x{width} predictions per image instead of one. {remedy}"
        )


def choice(argument: str, received: object, allowed: Iterable[object], remedy: str = "") -> None:
    """Requires that `received` is one of `allowed`; `argument` names it in the message.

    Raises:
      errors.UserError: with the allowed values and the nearest of them.
    """
    allowed = tuple(allowed)
    if received not in allowed:
        raise errors.unknown(argument, received, allowed, remedy)


def depth_multiplier(received: float) -> None:
    """Requires a positive width multiplier.

    Raises:
      errors.UserError: for zero or less, and for what is not finite.
    """
    if not 0 < received < math.inf:  # A NaN compares false.
        raise errors.UserError(
            f"depth_multiplier scales the number of channels and has to be a finite number "
            f"greater than zero; "
            f"received {received}."
        )


def num_classes(received: int | None) -> None:
    """Requires a number of classes, or None or 0 for features without a classifier.

    Raises:
      errors.UserError: for a negative number, and for what is no whole number.
    """
    if received is None:
        return
    if not isinstance(received, numbers.Integral) or received < 0:
        raise errors.UserError(
            f"num_classes has to be a positive whole number, or None or 0 for features without a "
            f"classifier; received {received!r}."
        )


def _static(inputs) -> tuple[tf.TensorShape, tf.DType]:
    """Returns shape and type of a tensor, or of an array that the first layer makes one of."""
    if not tf.is_tensor(inputs):
        inputs = np.asarray(inputs)
    return tf.TensorShape(inputs.shape), tf.as_dtype(inputs.dtype)


def _check(inputs, what: str, axes: tuple[str, ...], minimum: int) -> None:
    shape, dtype = _static(inputs)
    if shape.rank != len(axes):
        raise errors.UserError(
            f"The input has to be of rank {len(axes)}, [{', '.join(axes)}]; "
            f"received rank {shape.rank}, shape {shape}."
        )
    if not dtype.is_floating:
        raise errors.UserError(
            f"{what} have to be of a floating-point type; received {dtype.name}. Preprocess them, "
            f"or convert them with tf.cast(images, tf.float32)."
        )
    height, width = shape.as_list()[-3:-1]
    if any(side is not None and side < minimum for side in (height, width)):
        given = "x".join("?" if side is None else str(side) for side in (height, width))
        raise errors.UserError(
            f"{what} of {given} pixels are too small for this network; "
            f"the minimum is {minimum}x{minimum}."
        )
