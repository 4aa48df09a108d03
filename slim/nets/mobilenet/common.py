"""What the three generations of MobileNet share: width variants, padding, output stride."""

import functools
import itertools
import operator
from collections.abc import Callable, Sequence

from nets import checks
from slim_internal.ground.compat import tf


def wrapped_partial(func: Callable, *args, **kwargs) -> Callable:
    """Returns `functools.partial` that keeps the name, documentation and attributes of `func`."""
    return functools.update_wrapper(functools.partial(func, *args, **kwargs), func)


def fixed_padding(inputs, kernel_size: Sequence[int], rate: int = 1):
    """Pads height and width with zeros by what the kernel covers, whatever the size of the input.

    'SAME' pads an even input at the end first; this pads both ends by the same rule for every
    size, so that features stay aligned with the pixels they come from.

    Args:
      inputs: Feature map `[batch, h, w, c]`.
      kernel_size: Height and width of the kernel that follows with 'VALID' padding.
      rate: Its dilation.

    Returns:
      `[batch, h + rate * (kernel_h - 1), w + rate * (kernel_w - 1), c]`.
    """
    totals = [rate * (side - 1) for side in kernel_size]
    before_and_after = [[total // 2, total - total // 2] for total in totals]
    return tf.pad(inputs, [[0, 0], *before_and_after, [0, 0]])


def atrous(strides: Sequence[int], output_stride: int | None) -> list[tuple[int, int]]:
    """Trades strides for dilation once the feature map has shrunk by `output_stride`.

    Args:
      strides: The stride of each layer as the network was designed.
      output_stride: Ratio of image size to the size of the last feature map; None keeps the
        design.

    Returns:
      The stride and the dilation rate of each layer.

    Raises:
      errors.UserError: if the layers never shrink the image by exactly `output_stride`.
    """
    shrinkage = list(itertools.accumulate(strides, operator.mul, initial=1))
    if output_stride is None:
        return [(stride, 1) for stride in strides]
    checks.choice("output_stride", output_stride, sorted(set(shrinkage)))
    return [
        (stride, 1) if before < output_stride else (1, before // output_stride)
        for stride, before in zip(strides, shrinkage, strict=False)
    ]
