"""Which tensor of another library is which variable of slim, and how its axes are arranged."""

import dataclasses
from collections.abc import Callable, Iterable, Sequence

import numpy as np

BATCH_NORM = "BatchNorm"
STATISTICS = ("beta", "moving_mean", "moving_variance")


@dataclasses.dataclass(frozen=True)
class Layout:
    """How the axes of a tensor differ from those of slim's variable.

    Attributes:
      to_slim: Function of (tensor, shape of the variable) -> array of that shape; raises ValueError
        where that cannot be.
      from_slim: Function of (array of the variable) -> tensor.
    """

    to_slim: Callable[[np.ndarray, Sequence[int]], np.ndarray]
    from_slim: Callable[[np.ndarray], np.ndarray]


def _transposed(*axes: int) -> Layout:
    back = tuple(int(axis) for axis in np.argsort(axes))
    return Layout(lambda tensor, shape: tensor.transpose(axes), lambda array: array.transpose(back))


SAME = Layout(lambda tensor, shape: tensor, lambda array: array)
# PyTorch: [out, in, height, width], of a depthwise kernel [channels, 1, height, width].
TORCH_KERNEL = _transposed(2, 3, 1, 0)
TORCH_DEPTHWISE = _transposed(2, 3, 0, 1)
# Fully connected [in, out] there, a convolution over the whole feature map here.
DENSE = Layout(
    lambda tensor, shape: tensor.reshape(shape), lambda array: array.reshape(-1, array.shape[-1])
)
TORCH_DENSE = Layout(
    lambda tensor, shape: tensor.T.reshape(shape),
    lambda array: array.reshape(-1, array.shape[-1]).T,
)
# A kernel that reads blue, green, red.
REVERSED_CHANNELS = Layout(
    lambda tensor, shape: tensor[:, :, ::-1], lambda array: array[:, :, ::-1]
)


@dataclasses.dataclass(frozen=True)
class Rule:
    """One tensor of another library.

    Attributes:
      tensor: Its name there.
      variable: The variable of slim; of a tensor that must be all ones, one of the same shape.
      layout: How the axes differ.
      ones: Whether slim has no such variable: the tensor must be, and is written as, ones.
    """

    tensor: str
    variable: str
    layout: Layout = SAME
    ones: bool = False


def split(variable: str) -> tuple[str, str]:
    """Returns the scope of a variable and its last name."""
    scope, _, leaf = variable.rpartition("/")
    return scope, leaf


def scopes(variables: Iterable[str]) -> dict[str, list[str]]:
    """Returns the last names of the variables of each scope, in the order of creation."""
    found: dict[str, list[str]] = {}
    for variable in variables:
        scope, leaf = split(variable)
        found.setdefault(scope, []).append(leaf)
    return found


def layers(variables: Iterable[str]) -> dict[str, bool]:
    """Returns each scope that is not itself a normalization, and whether one follows it."""
    found = scopes(variables)
    return {
        scope: f"{scope}/{BATCH_NORM}" in found for scope in found if split(scope)[1] != BATCH_NORM
    }
