"""Builds a MobileNet from a table of operations; v2 and v3 are tables.

A table is a dict: `spec` lists the operations (`op`), `defaults` maps tuples of functions to the
arguments they take by default in this network, and `overrides`, optional, does the same with the
last word. Tables are never changed: variants are new dicts.
"""

import collections
import contextlib
import os
from collections.abc import Callable

from nets import checks
from nets.end_points import build, layer
from nets.mobilenet import conv_blocks
from nets.mobilenet.common import atrous, fixed_padding
from slim_internal.ground import errors
from slim_internal.ground.compat import slim, tf

_Op = collections.namedtuple("_Op", ["op", "params", "multiplier_func"])

# The functions whose activation and normalization a table sets as one.
CONVOLUTIONS = (slim.conv2d, slim.fully_connected, slim.separable_conv2d)

# Their original names, by which client code knows them.
_make_divisible, _fixed_padding = conv_blocks.make_divisible, fixed_padding

_BLOCKS = (conv_blocks.expanded_conv, conv_blocks.split_separable_conv2d)


@slim.add_arg_scope
def apply_activation(x, name=None, activation_fn=None):
    """Returns `activation_fn(x, name=name)`, or `x` where the arg scope gives no activation."""
    return activation_fn(x, name=name) if activation_fn else x


@slim.add_arg_scope
def depth_multiplier(output_params, multiplier, divisible_by=8, min_depth=8, **unused_kwargs):
    """Scales the channels of an operation in place.

    Args:
      output_params: Arguments of the operation; without `num_outputs` they stay as they are.
      multiplier: Factor on `num_outputs`.
      divisible_by: What the channels are a multiple of.
      min_depth: Fewest channels.
      **unused_kwargs: Ignored, for calls that serve other functions as well.
    """
    if "num_outputs" in output_params:
        output_params["num_outputs"] = conv_blocks.make_divisible(
            output_params["num_outputs"] * multiplier, divisible_by, min_depth
        )


def op(opfunc, multiplier_func=depth_multiplier, **params):
    """Returns a row of a table.

    Args:
      opfunc: Function of (net, **params) giving the next net.
      multiplier_func: Function of (params, multiplier) that scales a copy of `params` in place to
        the width of a variant.
      **params: Arguments of `opfunc`.
    """
    return _Op(opfunc, params, multiplier_func)


class NoOpScope:
    """A scope that does nothing, where an arg scope without arguments would be an error."""

    def __enter__(self):
        return None

    def __exit__(self, exc_type, exc_value, traceback):
        return False


def safe_arg_scope(funcs, **kwargs):
    """Returns the arg scope of those arguments that are not None; of none at all, `NoOpScope`."""
    given = {name: value for name, value in kwargs.items() if value is not None}
    return slim.arg_scope(funcs, **given) if given else NoOpScope()


def with_defaults(conv_defs, functions, **arguments):
    """Returns a copy of a table in which `functions` have further default arguments."""
    defaults = conv_defs.get("defaults", {})
    merged = {**defaults.get(functions, {}), **arguments}
    return {**conv_defs, "defaults": {**defaults, functions: merged}}


def with_full_last_layer(conv_defs):
    """Returns a copy of a table whose last layer keeps its width, whatever the multiplier.

    Narrow networks that tell many classes apart need all of its features.
    """
    *spec, last = conv_defs["spec"]
    full = last._replace(multiplier_func=lambda params, multiplier: None)
    return {**conv_defs, "spec": [*spec, full]}


@slim.add_arg_scope
def mobilenet_base(
    inputs,
    conv_defs,
    multiplier=1.0,
    final_endpoint=None,
    output_stride=None,
    use_explicit_padding=False,
    scope=None,
    is_training=False,
):
    """Builds the operations of a table.

    Args:
      inputs: Images `[batch, height, width, channels]`.
      conv_defs: The table.
      multiplier: Factor on the channels of every operation, greater than 0.
      final_endpoint: Name of the last operation to build, `layer_<i>`, counted from 1; None
        builds all of them.
      output_stride: Ratio of image size to the size of the last feature map; operations after it
        are dilated instead of strided. None keeps the strides of the table.
      use_explicit_padding: Whether to pad by the kernel size and convolve with 'VALID', so that
        features are aligned alike for every image size.
      scope: Scope of the variables.
      is_training: Whether batch norm works as in training; None leaves that to the arg scope.

    Returns:
      The output of the last operation, and a dict of end points: `layer_<i>`, and the tensors
      `layer_<i>/output`, `/expansion_output` and `/depthwise_output` of blocks that have them.

    Raises:
      errors.UserError: for a `multiplier`, `final_endpoint`, `output_stride` or input that the
        network has no use for; the message says what it has.
    """
    checks.images(inputs)
    checks.depth_multiplier(multiplier)
    layers = _layers(conv_defs["spec"], multiplier, output_stride, use_explicit_padding)
    with contextlib.ExitStack() as stack:
        stack.enter_context(_variable_and_name_scope(scope, default_name="Mobilenet"))
        stack.enter_context(safe_arg_scope([slim.batch_norm], is_training=is_training))
        for functions, arguments in conv_defs.get("defaults", {}).items():
            stack.enter_context(safe_arg_scope(functions, **arguments))
        for functions, arguments in conv_defs.get("overrides", {}).items():
            stack.enter_context(safe_arg_scope(functions, **arguments))
        if use_explicit_padding:
            stack.enter_context(
                slim.arg_scope([slim.conv2d, slim.separable_conv2d], padding="VALID")
            )
        net, end_points = build(inputs, layers, final_endpoint)
    end_points.update(_inner_end_points(end_points, net.graph))
    return net, end_points


def _layers(spec, multiplier, output_stride, use_explicit_padding):
    """Returns the layers of a table, each with its width, stride, dilation and padding settled."""
    strides = atrous([row.params.get("stride", 1) for row in spec], output_stride)
    layers = []
    for number, (row, (stride, rate)) in enumerate(zip(spec, strides, strict=True), start=1):
        params = dict(row.params)
        row.multiplier_func(params, multiplier)
        params["stride"] = stride
        is_dilated = row.op in (*CONVOLUTIONS, *_BLOCKS)
        if rate > 1 and is_dilated and tuple(params.get("kernel_size", ())) != (1, 1):
            params["rate"] = rate
        if use_explicit_padding and row.op in _BLOCKS:
            params["use_explicit_padding"] = True
        padded = use_explicit_padding and row.op is slim.conv2d
        layers.append(layer(f"layer_{number}", _apply, row.op, padded, params))
    return layers


def _apply(net, operation, padded, params, scope):
    del scope  # Operations take the default scopes of their kind: Conv, expanded_conv, Conv_1, ...
    if padded:
        net = fixed_padding(net, params["kernel_size"], params.get("rate", 1))
    return operation(net, **params)


@contextlib.contextmanager
def _variable_and_name_scope(scope, default_name):
    """Enters a variable scope and its name scope, the original one if the scope is reentered."""
    with tf.variable_scope(scope, default_name) as entered:
        with tf.name_scope(entered.original_name_scope):
            yield


def _inner_end_points(end_points, graph):
    """Returns the tensors called `...output` that lie directly in the scope of an end point."""
    names = {os.path.dirname(net.op.name): name for name, net in end_points.items()}
    return {
        f"{names[scope]}/{base}": operation.outputs[0]
        for operation in graph.get_operations()
        for scope, base in [os.path.split(operation.name)]
        if base.endswith("output") and scope in names
    }


@slim.add_arg_scope
def mobilenet(
    inputs,
    num_classes=1001,
    prediction_fn=slim.softmax,
    reuse=None,
    scope="Mobilenet",
    base_only=False,
    use_reduce_mean_for_pooling=False,
    **mobilenet_args,
):
    """Builds a table with a classifier on top.

    Args:
      inputs: Images `[batch, height, width, channels]`; the published weights expect values in
        -1..1.
      num_classes: Number of classes; 0 or None leaves the classifier out.
      prediction_fn: Makes `end_points["Predictions"]` of logits; None leaves them out.
      reuse: Whether to reuse the variables of an earlier call.
      scope: Scope of the variables.
      base_only: Whether to stop at the feature map.
      use_reduce_mean_for_pooling: Whether to average by a reduction instead of a pooling window.
      **mobilenet_args: Further arguments of `mobilenet_base`, `conv_defs` among them.

    Returns:
      The logits `[batch, num_classes]` (the averaged features `[batch, 1, 1, channels]` without a
      classifier, the feature map if `base_only`), and a dict of end points.

    Raises:
      errors.UserError: for arguments or images that the network has no use for.
    """
    checks.images(inputs)
    is_training = mobilenet_args.get("is_training", False)
    with tf.variable_scope(scope, "Mobilenet", reuse=reuse) as scope:
        inputs = tf.identity(inputs, "input")
        net, end_points = mobilenet_base(inputs, scope=scope, **mobilenet_args)
        if base_only:
            return net, end_points
        net = tf.identity(net, name="embedding")
        with tf.variable_scope("Logits"):
            net = end_points["global_pool"] = global_pool(net, use_reduce_mean_for_pooling)
            if not num_classes:
                return net, end_points
            net = slim.dropout(net, scope="Dropout", is_training=is_training)
            logits = slim.conv2d(
                net,
                num_classes,
                [1, 1],
                activation_fn=None,
                normalizer_fn=None,
                scope="Conv2d_1c_1x1",
            )
            logits = tf.identity(tf.squeeze(logits, [1, 2]), name="output")
        end_points["Logits"] = logits
        if prediction_fn:
            end_points["Predictions"] = prediction_fn(logits, "Predictions")
    return logits, end_points


def global_pool(input_tensor, use_reduce_mean_for_pooling=False, pool_op=tf.nn.avg_pool2d):
    """Pools each channel over the whole feature map.

    Args:
      input_tensor: Feature map `[batch, h, w, c]`.
      use_reduce_mean_for_pooling: Whether to average by a reduction.
      pool_op: The pooling otherwise; it needs h and w to be known.

    Returns:
      `[batch, 1, 1, c]`.

    Raises:
      errors.UserError: if `pool_op` is not the average and the size of the map is unknown.
    """
    size = input_tensor.shape.as_list()[1:3]
    if None in size and pool_op is not tf.nn.avg_pool2d:
        raise errors.UserError(
            f"Only the average is defined over a feature map of unknown size; received {pool_op}."
        )
    if use_reduce_mean_for_pooling or None in size:
        return tf.reduce_mean(input_tensor, [1, 2], keepdims=True, name="ReduceMean")
    return pool_op(input_tensor, ksize=[1, *size, 1], strides=[1, 1, 1, 1], padding="VALID")


def training_scope(
    is_training=True, weight_decay=0.00004, stddev=0.09, dropout_keep_prob=0.8, bn_decay=0.997
):
    """Returns the arg scope that the published weights were trained under.

    Args:
      is_training: Whether batch norm and dropout work as in training; None leaves that to the
        arguments of the network.
      weight_decay: Factor of the L2 loss on weights; depthwise weights are exempt.
      stddev: Standard deviation of the truncated normal that weights start from; a negative one
        means Xavier's initializer.
      dropout_keep_prob: Fraction of the features that dropout keeps while training.
      bn_decay: Fraction of the old moving average that an update keeps.
    """
    initializer: Callable = (
        slim.initializers.xavier_initializer()
        if stddev < 0
        else tf.truncated_normal_initializer(stddev=stddev)
    )
    with (
        slim.arg_scope(
            CONVOLUTIONS, weights_initializer=initializer, normalizer_fn=slim.batch_norm
        ),
        safe_arg_scope([mobilenet_base, mobilenet], is_training=is_training),
        safe_arg_scope([slim.batch_norm], decay=bn_decay, is_training=is_training),
        safe_arg_scope([slim.dropout], keep_prob=dropout_keep_prob, is_training=is_training),
        slim.arg_scope([slim.conv2d], weights_regularizer=slim.l2_regularizer(weight_decay)),
        slim.arg_scope([slim.separable_conv2d], weights_regularizer=None) as scope,
    ):
        return scope
