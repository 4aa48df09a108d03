"""A network as a table of named layers, and the one place that knows `final_endpoint`.

LAYERS = (
    layer("Conv2d_1a_7x7", slim.conv2d, 64, [7, 7], stride=2),  # 112 x 112
    layer("MaxPool_2a_3x3", slim.max_pool2d, [3, 3], stride=2),  # 56 x 56
)
net, end_points = build(images, LAYERS, final_endpoint)
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping

from nets import checks


@dataclasses.dataclass(frozen=True)
class Layer:
    """A row of the table: `op(net, *args, scope=name, **kwargs)` makes the layer `name`."""

    name: str
    op: Callable
    args: tuple
    kwargs: Mapping
    is_end_point: bool


def layer(name: str, op: Callable, *args, **kwargs) -> Layer:
    """Returns a row; `args` and `kwargs` are what `op` takes besides its input and its scope."""
    return Layer(name, op, args, kwargs, is_end_point=True)


def hidden(name: str, op: Callable, *args, **kwargs) -> Layer:
    """Returns a row like `layer` does, for a step that is not listed among the end points."""
    return Layer(name, op, args, kwargs, is_end_point=False)


def build(net, layers: Iterable[Layer], final_endpoint: str | None = None):
    """Applies layers one after the other, up to and including `final_endpoint`.

    Args:
      net: The input of the first layer.
      layers: The rows of the table.
      final_endpoint: Name of the last layer to build; None builds all of them.

    Returns:
      The output of the last layer built, and a dict from the name of each layer that is not
      hidden to its output.

    Raises:
      errors.UserError: if no layer that is not hidden has the name `final_endpoint`.
    """
    layers = tuple(layers)
    if final_endpoint is not None:
        allowed = [row.name for row in layers if row.is_end_point]
        checks.choice("final_endpoint", final_endpoint, allowed)
    end_points = {}
    for row in layers:
        net = row.op(net, *row.args, scope=row.name, **row.kwargs)
        if row.is_end_point:
            end_points[row.name] = net
        if row.name == final_endpoint:
            break
    return net, end_points
