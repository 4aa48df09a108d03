"""The rows that Inception networks are written in, and the one body that builds a module.

A module sends its input through several branches and joins their outputs along the channels:

    mixed(
        "Mixed_5b",
        branch(conv("Conv2d_0a_1x1", depth=64, kernel=1)),
        branch(
            conv("Conv2d_0a_1x1", depth=48, kernel=1),
            conv("Conv2d_0b_5x5", depth=64, kernel=5),
        ),
        branch(
            avg_pool("AvgPool_0a_3x3", kernel=3),
            conv("Conv2d_0b_1x1", depth=32, kernel=1),
        ),
    )

The n-th branch has the variable scope `Branch_<n>`. Names of rows are those of the published
checkpoints, irregular ones included.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping

from nets import checks
from nets.end_points import Layer, build, hidden, layer
from slim_internal.ground.compat import slim, tf

Branch = tuple[Layer, ...]


def conv(name, *, depth, kernel, stride=1, padding="SAME", initializer=None) -> Layer:
    """Returns the row of a convolution.

    Args:
      name: Its scope.
      depth: Channels it gives.
      kernel: Its height and width, one number if they are equal.
      stride: Pixels from one window it looks at to the next.
      padding: "SAME" or "VALID".
      initializer: What its weights start from; None leaves that to the arg scope.
    """
    given = {} if initializer is None else {"weights_initializer": initializer}
    return layer(
        name,
        slim.conv2d,
        num_outputs=depth,
        kernel_size=kernel,
        stride=stride,
        padding=padding,
        **given,
    )


def max_pool(name, *, kernel, stride=1, padding="SAME") -> Layer:
    """Returns the row of a maximum over windows."""
    return layer(name, slim.max_pool2d, kernel_size=kernel, stride=stride, padding=padding)


def avg_pool(name, *, kernel, stride=1, padding="SAME") -> Layer:
    """Returns the row of a mean over windows."""
    return layer(name, slim.avg_pool2d, kernel_size=kernel, stride=stride, padding=padding)


def branch(*rows: Layer) -> Branch:
    """Returns one branch of a module: rows that follow each other."""
    return rows


def fork(*rows: Layer) -> Layer:
    """Returns the row of a fan at the end of a branch: all rows read the same, and are joined."""
    return hidden("concat", _join, branches=tuple((row,) for row in rows))


def mixed(name: str, *branches: Branch) -> Layer:
    """Returns the row of a module."""
    return layer(name, apply_branches, branches=branches)


@slim.add_arg_scope
def apply_branches(net, branches: Iterable[Branch], data_format="NHWC", scope=None):
    """Builds the branches of a module and joins their outputs along the channels.

    Args:
      net: Feature map that every branch reads.
      branches: The rows of each branch.
      data_format: The axes of the feature maps, one letter each, "C" for the channels.
      scope: Name of the variable scope of the module; None stays in the current one.
    """
    if scope:
        with tf.variable_scope(scope):
            return apply_branches(net, branches, data_format=data_format)
    outputs = []
    for index, rows in enumerate(branches):
        with tf.variable_scope(f"Branch_{index}"):
            outputs.append(build(net, rows)[0])
    return tf.concat(outputs, axis=data_format.index("C"))


def _join(net, branches: Iterable[Branch], scope):
    return tf.concat([build(net, rows)[0] for rows in branches], axis=3, name=scope)


def widths(depth_multiplier: float, min_depth: int) -> Callable[[int], int]:
    """Returns the function from the channels of a layer in the paper to those of a scaled network.

    Raises:
      errors.UserError: if the multiplier is not greater than zero.
    """
    checks.depth_multiplier(depth_multiplier)
    return lambda depth: max(int(depth * depth_multiplier), min_depth)


def scaled(layers: Iterable[Layer], depth: Callable[[int], int]) -> tuple[Layer, ...]:
    """Returns the same layers with every number of channels replaced by `depth` of it."""
    return tuple(dataclasses.replace(row, kwargs=_scaled(row.kwargs, depth)) for row in layers)


def _scaled(kwargs: Mapping, depth: Callable[[int], int]) -> dict:
    kwargs = dict(kwargs)
    if "num_outputs" in kwargs:
        kwargs["num_outputs"] = depth(kwargs["num_outputs"])
    if "branches" in kwargs:
        kwargs["branches"] = tuple(scaled(rows, depth) for rows in kwargs["branches"])
    return kwargs


def smallest_input(layers: Iterable[Layer], output: int = 1, until: str | None = None) -> int:
    """Returns the minimum height and width that leave `output` pixels after the layers.

    Args:
      layers: Rows of this module, or others that keep the size.
      output: Height and width wanted after the last layer.
      until: Name of the last layer to count; None counts all.
    """
    size = output
    counts = until is None
    for row in reversed(tuple(layers)):
        counts = counts or row.name == until
        if counts:
            size = _smallest_input(row, size)
    return size


def _smallest_input(row: Layer, output: int) -> int:
    if "branches" in row.kwargs:
        return max(smallest_input(rows, output) for rows in row.kwargs["branches"])
    if "kernel_size" not in row.kwargs:
        return output
    window = row.kwargs["kernel_size"] if row.kwargs["padding"] == "VALID" else 1
    return (output - 1) * row.kwargs["stride"] + window
