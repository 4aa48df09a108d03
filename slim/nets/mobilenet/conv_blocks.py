"""The blocks that MobileNet v2 and v3 are made of (arXiv:1801.04381, arXiv:1905.02244).

The inverted residual is called `expanded_conv`: a 1x1 convolution expands the channels, a
depthwise one filters them, a linear 1x1 one projects them to few channels again.
"""

import contextlib
import functools
import itertools
import math
from collections.abc import Callable

from nets import checks
from nets.mobilenet.common import fixed_padding
from slim_internal.ground import errors
from slim_internal.ground.compat import slim, tf

_DEPTHWISE_LOCATIONS = (None, "input", "output", "expansion")


def make_divisible(value: float, divisor: int, min_value: int | None = None) -> int:
    """Rounds to a multiple of `divisor`, but never to less than nine tenths of `value`.

    Args:
      value: The number of channels asked for.
      divisor: What the result is a multiple of; hardware likes multiples of 8.
      min_value: Least result; None means `divisor`.
    """
    least = divisor if min_value is None else min_value
    rounded = max(least, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded


# Their original names, by which client code knows them.
_make_divisible, _fixed_padding = make_divisible, fixed_padding


def expand_input_by_factor(n, divisible_by=8):
    """Returns a function giving the channels of an expansion of `num_inputs` by the factor `n`."""
    return lambda num_inputs, **_: make_divisible(num_inputs * n, divisible_by)


_SIX_TIMES = expand_input_by_factor(6)


def _split_divisible(total: int, num_ways: int, divisible_by: int) -> list[int]:
    """Splits channels into `num_ways` multiples of `divisible_by`, as even as they can be."""
    if total % divisible_by:
        raise errors.UserError(
            f"{total} channels cannot be split into parts divisible by {divisible_by}."
        )
    units = total // divisible_by
    cuts = [math.ceil(units * part / num_ways) for part in range(num_ways + 1)]
    return [divisible_by * (end - start) for start, end in itertools.pairwise(cuts)]


def split_conv(input_tensor, num_outputs, num_ways, scope, divisible_by=8, **kwargs):
    """A 1x1 convolution, optionally in groups that see only their share of the channels.

    Args:
      input_tensor: Feature map `[batch, h, w, c]`.
      num_outputs: Channels of the result.
      num_ways: Number of groups.
      scope: Scope of the variables; the groups lie below it as `part_<i>`.
      divisible_by: What the channels of a group are a multiple of; where groups would have fewer,
        there is a single one.
      **kwargs: Further arguments of `slim.conv2d`.

    Returns:
      `[batch, h, w, num_outputs]`.
    """
    num_inputs = input_tensor.shape.as_list()[3]
    if num_ways == 1 or min(num_inputs, num_outputs) // num_ways < divisible_by:
        return slim.conv2d(input_tensor, num_outputs, [1, 1], scope=scope, **kwargs)
    inputs = tf.split(input_tensor, _split_divisible(num_inputs, num_ways, divisible_by), axis=3)
    widths = _split_divisible(num_outputs, num_ways, divisible_by)
    parts = [
        slim.conv2d(part, width, [1, 1], scope=f"{scope}/part_{index}", **kwargs)
        for index, (part, width) in enumerate(zip(inputs, widths, strict=True))
    ]
    return tf.concat(parts, axis=3, name=f"{scope}_concat")


@slim.add_arg_scope
def expanded_conv(
    input_tensor,
    num_outputs,
    expansion_size=_SIX_TIMES,
    stride=1,
    rate=1,
    kernel_size=(3, 3),
    residual=True,
    normalizer_fn=None,
    split_projection=1,
    split_expansion=1,
    split_divisible_by=8,
    expansion_transform=None,
    depthwise_location="expansion",
    depthwise_channel_multiplier=1,
    endpoints=None,
    use_explicit_padding=False,
    padding="SAME",
    inner_activation_fn=None,
    depthwise_activation_fn=None,
    project_activation_fn=tf.identity,
    depthwise_fn=slim.separable_conv2d,
    expansion_fn=split_conv,
    projection_fn=split_conv,
    scope=None,
):
    """Expands, filters each channel, projects; adds the input where the shapes allow it.

    The tensors `expansion_output`, `depthwise_output` and `output` exist under these names in
    the scope of the block, as far as the block has these stages.

    Args:
      input_tensor: Feature map `[batch, h, w, c]`.
      num_outputs: Channels of the result.
      expansion_size: Channels to expand to, or a function of `num_inputs` giving them; no more
        than the input has means no expansion.
      stride: Stride of the depthwise convolution.
      rate: Its dilation.
      kernel_size: Its height and width.
      residual: Whether to add the input if stride is 1 and the channels agree; or a function of
        (input_tensor, output_tensor) giving the result.
      normalizer_fn: Normalization behind each convolution.
      split_projection: Number of groups of the projection.
      split_expansion: Number of groups of the expansion.
      split_divisible_by: What the channels of a group are a multiple of.
      expansion_transform: Function of (expansion_tensor, input_tensor) applied before the
        projection, such as squeeze and excite.
      depthwise_location: Where to filter: before the expansion ("input"), after it
        ("expansion"), after the projection ("output") or nowhere (None).
      depthwise_channel_multiplier: Filters per channel.
      endpoints: A dict that takes up the outputs of the stages, or None.
      use_explicit_padding: Whether to pad by the kernel size and filter with 'VALID'.
      padding: Padding of the depthwise convolution.
      inner_activation_fn: Activation of expansion and depthwise convolution; None leaves it to
        the arg scope.
      depthwise_activation_fn: Activation of the depthwise convolution, before
        `inner_activation_fn`.
      project_activation_fn: Activation of the projection.
      depthwise_fn: The depthwise convolution.
      expansion_fn: The expansion.
      projection_fn: The projection.
      scope: Scope of the variables.

    Returns:
      `[batch, ceil(h / stride), ceil(w / stride), num_outputs]`.

    Raises:
      errors.UserError: for an unknown `depthwise_location`, or explicit padding of a convolution
        whose own padding is not 'SAME'.
    """
    checks.choice("depthwise_location", depthwise_location, _DEPTHWISE_LOCATIONS)
    if use_explicit_padding and padding != "SAME":
        raise errors.UserError(f"use_explicit_padding needs padding='SAME'; received {padding!r}.")
    endpoints = {} if endpoints is None else endpoints

    def named(name, net):
        endpoints[name] = tf.identity(net, name)
        return endpoints[name]

    def depthwise(net, **kwargs):
        if use_explicit_padding:
            net = fixed_padding(net, kernel_size, rate)
        net = depthwise_fn(
            net,
            num_outputs=None,
            kernel_size=kernel_size,
            depth_multiplier=depthwise_channel_multiplier,
            stride=stride,
            rate=rate,
            normalizer_fn=normalizer_fn,
            padding="VALID" if use_explicit_padding else padding,
            scope="depthwise",
            **kwargs,
        )
        return named("depthwise_output", net)

    expand, project = (
        functools.partial(fn, num_ways=ways, divisible_by=split_divisible_by)
        if fn is split_conv
        else fn
        for fn, ways in ((expansion_fn, split_expansion), (projection_fn, split_projection))
    )
    with (
        tf.variable_scope(scope, default_name="expanded_conv") as block,
        tf.name_scope(block.original_name_scope),
        _activation(slim.conv2d, inner_activation_fn),
        _activation(slim.separable_conv2d, depthwise_activation_fn or inner_activation_fn),
    ):
        net = input_tensor = tf.identity(input_tensor, "input")
        if depthwise_location == "input":
            net = depthwise(net, activation_fn=None)
        inner_size = (
            expansion_size(num_inputs=input_tensor.shape.as_list()[3])
            if callable(expansion_size)
            else expansion_size
        )
        if inner_size > net.shape.as_list()[3]:
            net = expand(net, inner_size, scope="expand", normalizer_fn=normalizer_fn)
            net = named("expansion_output", net)
        if depthwise_location == "expansion":
            net = depthwise(net)
        if expansion_transform:
            net = expansion_transform(expansion_tensor=net, input_tensor=input_tensor)
        net = project(
            net,
            num_outputs,
            scope="project",
            normalizer_fn=normalizer_fn,
            activation_fn=project_activation_fn,
        )
        endpoints["projection_output"] = net
        if depthwise_location == "output":
            net = depthwise(net, activation_fn=None)
        net = _add_residual(residual, stride, input_tensor, net)
        return tf.identity(net, "output")


def _activation(layer: Callable, activation_fn: Callable | None):
    """Returns the scope in which `layer` activates by `activation_fn`; None changes nothing."""
    if activation_fn is None:
        return contextlib.nullcontext()
    return slim.arg_scope([layer], activation_fn=activation_fn)


def _add_residual(residual, stride, input_tensor, output_tensor):
    if callable(residual):
        return residual(input_tensor=input_tensor, output_tensor=output_tensor)
    same_depth = input_tensor.shape.as_list()[3] == output_tensor.shape.as_list()[3]
    if residual and stride == 1 and same_depth:
        return output_tensor + input_tensor
    return output_tensor


@slim.add_arg_scope
def split_separable_conv2d(
    input_tensor,
    num_outputs,
    scope=None,
    normalizer_fn=None,
    stride=1,
    rate=1,
    endpoints=None,
    use_explicit_padding=False,
):
    """The block of MobileNet v1: a depthwise 3x3 and a 1x1 convolution, each normalized.

    Args:
      input_tensor: Feature map `[batch, h, w, c]`.
      num_outputs: Channels of the result.
      scope: Prefix of the two layers, `<scope>_depthwise` and `<scope>_pointwise` as in MobileNet
        v1; None puts them into a scope `separable`.
      normalizer_fn: Normalization behind each convolution.
      stride: Stride of the depthwise convolution.
      rate: Its dilation.
      endpoints: A dict that takes up the outputs of both layers, or None.
      use_explicit_padding: Whether to pad by the kernel size and filter with 'VALID'.

    Returns:
      `[batch, ceil(h / stride), ceil(w / stride), num_outputs]`.
    """
    kernel_size = (3, 3)
    endpoints = {} if endpoints is None else endpoints
    with contextlib.ExitStack() as stack:
        prefix = "" if scope is None else f"{scope}_"
        if scope is None:
            block = stack.enter_context(tf.variable_scope(None, default_name="separable"))
            stack.enter_context(tf.name_scope(block.original_name_scope))
        net = input_tensor
        if use_explicit_padding:
            net = fixed_padding(net, kernel_size, rate)
        net = endpoints[f"{prefix}depthwise"] = slim.separable_conv2d(
            net,
            None,
            kernel_size,
            stride=stride,
            rate=rate,
            normalizer_fn=normalizer_fn,
            padding="VALID" if use_explicit_padding else "SAME",
            scope=f"{prefix}depthwise",
        )
        net = endpoints[f"{prefix}pointwise"] = slim.conv2d(
            net, num_outputs, [1, 1], normalizer_fn=normalizer_fn, scope=f"{prefix}pointwise"
        )
    return net


@slim.add_arg_scope
def squeeze_excite(
    input_tensor,
    divisible_by=8,
    squeeze_factor=3,
    inner_activation_fn=tf.nn.relu,
    gating_fn=tf.sigmoid,
    squeeze_input_tensor=None,
    pool=None,
):
    """Scales each channel by a gate computed from the average of all channels (arXiv:1709.01507).

    Args:
      input_tensor: Feature map `[batch, h, w, c]` to scale.
      divisible_by: What the number of squeezed channels is a multiple of.
      squeeze_factor: Channels that are squeezed into one.
      inner_activation_fn: Activation of the squeezed channels.
      gating_fn: Activation of the gates.
      squeeze_input_tensor: Feature map to compute the gates from; None means `input_tensor`.
      pool: Side of the windows to average over, giving gates that vary over the map; None
        averages over the whole map.

    Returns:
      `[batch, h, w, c]`.
    """
    source = input_tensor if squeeze_input_tensor is None else squeeze_input_tensor
    with tf.variable_scope("squeeze_excite"):
        if pool is None:
            squeezed = tf.reduce_mean(source, [1, 2], keepdims=True)
        else:
            squeezed = tf.nn.avg_pool2d(source, pool, strides=1, padding="VALID")
        squeezed = slim.conv2d(
            squeezed,
            make_divisible(source.shape.as_list()[3] / squeeze_factor, divisible_by),
            [1, 1],
            normalizer_fn=None,
            activation_fn=inner_activation_fn,
        )
        gates = slim.conv2d(
            squeezed,
            input_tensor.shape.as_list()[3],
            [1, 1],
            normalizer_fn=None,
            activation_fn=gating_fn,
        )
        if pool is not None:
            size = tf.shape(input_tensor)[1:3]
            gates = tf.image.resize_bilinear(gates, size, align_corners=True)
        return input_tensor * gates
