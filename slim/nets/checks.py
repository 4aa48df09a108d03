"""What every network asks of its arguments, and how it says what is wrong with them.

Only static shapes are looked at: an unknown dimension passes.
"""

from collections.abc import Iterable

import errors


def images(inputs, minimum: int = 1) -> None:
    """Requires [batch, height, width, channels] of at least `minimum` x `minimum` pixels.

    Raises:
      errors.UserError: for another rank or for smaller images.
    """
    _rank(inputs, ("batch", "height", "width", "channels"))
    _size(inputs, "Images", minimum)


def clips(inputs, minimum: int = 1, min_frames: int = 1) -> None:
    """Requires [batch, frames, height, width, channels], each side at least its minimum.

    Raises:
      errors.UserError: for another rank, for smaller images or for fewer frames.
    """
    _rank(inputs, ("batch", "frames", "height", "width", "channels"))
    _size(inputs, "Clips", minimum)
    frames = None if inputs.shape.rank is None else inputs.shape.as_list()[1]
    if frames is not None and frames < min_frames:
        raise errors.UserError(f"Clips of {frames} frames are too short; at least {min_frames}.")


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
      errors.UserError: for zero or less.
    """
    if received <= 0:
        raise errors.UserError(
            f"depth_multiplier scales the number of channels and has to be greater than zero; "
            f"received {received}."
        )


def _rank(inputs, axes: tuple[str, ...]) -> None:
    if inputs.shape.rank not in (None, len(axes)):
        raise errors.UserError(
            f"The input has to be of rank {len(axes)}, [{', '.join(axes)}]; "
            f"received rank {inputs.shape.rank}, shape {inputs.shape}."
        )


def _size(inputs, what: str, minimum: int) -> None:
    if inputs.shape.rank is None:
        return
    height, width = inputs.shape.as_list()[-3:-1]
    if any(side is not None and side < minimum for side in (height, width)):
        given = "x".join("?" if side is None else str(side) for side in (height, width))
        raise errors.UserError(
            f"{what} of {given} pixels are too small for this network; "
            f"the minimum is {minimum}x{minimum}."
        )
