"""MobileNet v1: depthwise separable convolutions, in four widths (arXiv:1704.04861)."""

import collections
from collections.abc import Sequence

from nets import checks
from nets.end_points import build, layer
from nets.mobilenet.common import atrous, fixed_padding, wrapped_partial
from nets.network import Checkpoint, Network
from slim_internal.ground.compat import slim, tf

# Its original name, by which client code knows it.
_fixed_padding = fixed_padding

Conv = collections.namedtuple("Conv", ["kernel", "stride", "depth"])
DepthSepConv = collections.namedtuple("DepthSepConv", ["kernel", "stride", "depth"])

MOBILENETV1_CONV_DEFS = [  # output size for images of 224 x 224
    Conv(kernel=[3, 3], stride=2, depth=32),  # 112 x 112
    DepthSepConv(kernel=[3, 3], stride=1, depth=64),
    DepthSepConv(kernel=[3, 3], stride=2, depth=128),  # 56 x 56
    DepthSepConv(kernel=[3, 3], stride=1, depth=128),
    DepthSepConv(kernel=[3, 3], stride=2, depth=256),  # 28 x 28
    DepthSepConv(kernel=[3, 3], stride=1, depth=256),
    DepthSepConv(kernel=[3, 3], stride=2, depth=512),  # 14 x 14
    DepthSepConv(kernel=[3, 3], stride=1, depth=512),
    DepthSepConv(kernel=[3, 3], stride=1, depth=512),
    DepthSepConv(kernel=[3, 3], stride=1, depth=512),
    DepthSepConv(kernel=[3, 3], stride=1, depth=512),
    DepthSepConv(kernel=[3, 3], stride=1, depth=512),
    DepthSepConv(kernel=[3, 3], stride=2, depth=1024),  # 7 x 7
    DepthSepConv(kernel=[3, 3], stride=1, depth=1024),
]


def mobilenet_v1_base(
    inputs,
    final_endpoint="Conv2d_13_pointwise",
    min_depth=8,
    depth_multiplier=1.0,
    conv_defs=None,
    output_stride=None,
    use_explicit_padding=False,
    scope=None,
):
    """Builds the feature extractor.

    Args:
      inputs: Images `[batch, height, width, channels]`.
      final_endpoint: Name of the last layer to build: `Conv2d_0`, or `Conv2d_<i>_depthwise` and
        `Conv2d_<i>_pointwise`, i from 1 to 13.
      min_depth: Fewest channels that a layer may have.
      depth_multiplier: Factor on the channels of every layer, greater than 0.
      conv_defs: Rows of `Conv` and `DepthSepConv`; None means `MOBILENETV1_CONV_DEFS`.
      output_stride: Ratio of image size to the size of the last feature map; layers after it
        are dilated instead of strided, if they are depthwise. None keeps the strides of the table,
        32 in total.
      use_explicit_padding: Whether to pad by the kernel size and convolve with 'VALID', so that
        features are aligned alike for every image size.
      scope: Scope of the variables.

    Returns:
      The output of the last layer, and a dict from the names of all layers to their outputs.

    Raises:
      errors.UserError: for a `final_endpoint`, `output_stride`, `depth_multiplier` or input that
        the network has no use for; the message says what it has.
    """
    checks.images(inputs)
    checks.depth_multiplier(depth_multiplier)
    conv_defs = MOBILENETV1_CONV_DEFS if conv_defs is None else conv_defs
    conv_defs = [
        row._replace(depth=max(int(row.depth * depth_multiplier), min_depth)) for row in conv_defs
    ]
    padding = "VALID" if use_explicit_padding else "SAME"
    with (
        tf.variable_scope(scope, "MobilenetV1", [inputs]),
        slim.arg_scope([slim.conv2d, slim.separable_conv2d], padding=padding),
    ):
        return build(
            inputs, _layers(conv_defs, output_stride, use_explicit_padding), final_endpoint
        )


def _layers(
    conv_defs: Sequence[Conv | DepthSepConv], output_stride: int | None, explicit_padding: bool
):
    """Yields the layers that the rows of a table stand for: one or two each."""
    strides = atrous([row.stride for row in conv_defs], output_stride)
    for index, (row, (stride, rate)) in enumerate(zip(conv_defs, strides, strict=True)):
        name = f"Conv2d_{index}"
        if isinstance(row, Conv):
            # Dense convolutions keep their stride, as published, and are never dilated.
            geometry = (row.kernel, row.stride, 1, explicit_padding)
            yield layer(name, _convolution, slim.conv2d, row.depth, *geometry)
        else:
            geometry = (row.kernel, stride, rate, explicit_padding)
            yield layer(f"{name}_depthwise", _convolution, slim.separable_conv2d, None, *geometry)
            yield layer(f"{name}_pointwise", slim.conv2d, row.depth, [1, 1])


def _convolution(net, convolution, depth, kernel, stride, rate, padded, scope):
    if padded:
        net = fixed_padding(net, kernel, rate)
    return convolution(net, depth, kernel, stride=stride, rate=rate, scope=scope)


def mobilenet_v1(
    inputs,
    num_classes=1000,
    dropout_keep_prob=0.999,
    is_training=True,
    min_depth=8,
    depth_multiplier=1.0,
    conv_defs=None,
    prediction_fn=slim.softmax,
    spatial_squeeze=True,
    reuse=None,
    scope="MobilenetV1",
    global_pool=False,
):
    """Builds MobileNet v1 with its classifier.

    Args:
      inputs: Images `[batch, height, width, channels]`; the published weights expect values in
        -1..1.
      num_classes: Number of classes; 0 or None leaves the classifier out.
      dropout_keep_prob: Fraction of the features that dropout keeps while training.
      is_training: Whether batch norm and dropout work as in training.
      min_depth: Fewest channels that a layer may have.
      depth_multiplier: Factor on the channels of every layer, greater than 0.
      conv_defs: Rows of `Conv` and `DepthSepConv`; None means `MOBILENETV1_CONV_DEFS`.
      prediction_fn: Makes `end_points["Predictions"]` of logits; None leaves them out.
      spatial_squeeze: Whether logits are `[batch, num_classes]` instead of `[batch, h, w,
        num_classes]`.
      reuse: Whether to reuse the variables of an earlier call.
      scope: Scope of the variables.
      global_pool: Whether to average over the whole feature map, so that images of any size give
        one prediction, instead of over windows of at most 7 x 7.

    Returns:
      The logits (the averaged features `[batch, h, w, channels]` without a classifier), and a
      dict of end points.

    Raises:
      errors.UserError: for arguments or images that the network has no use for.
    """
    checks.images(inputs)
    with (
        tf.variable_scope(scope, "MobilenetV1", [inputs], reuse=reuse) as scope,
        slim.arg_scope([slim.batch_norm, slim.dropout], is_training=is_training),
    ):
        net, end_points = mobilenet_v1_base(
            inputs,
            scope=scope,
            min_depth=min_depth,
            depth_multiplier=depth_multiplier,
            conv_defs=conv_defs,
        )
        with tf.variable_scope("Logits"):
            if global_pool:
                net = tf.reduce_mean(net, [1, 2], keepdims=True, name="global_pool")
                end_points["global_pool"] = net
            else:
                net = slim.avg_pool2d(net, _pool_window(net), padding="VALID", scope="AvgPool_1a")
                end_points["AvgPool_1a"] = net
            if not num_classes:
                return net, end_points
            net = slim.dropout(net, keep_prob=dropout_keep_prob, scope="Dropout_1b")
            logits = slim.conv2d(
                net,
                num_classes,
                [1, 1],
                activation_fn=None,
                normalizer_fn=None,
                scope="Conv2d_1c_1x1",
            )
            if spatial_squeeze:
                checks.one_position(logits, "Pass global_pool=True or spatial_squeeze=False.")
                logits = tf.squeeze(logits, [1, 2], name="SpatialSqueeze")
        end_points["Logits"] = logits
        if prediction_fn:
            end_points["Predictions"] = prediction_fn(logits, scope="Predictions")
    return logits, end_points


mobilenet_v1.default_image_size = 224

mobilenet_v1_075 = wrapped_partial(mobilenet_v1, depth_multiplier=0.75)
mobilenet_v1_050 = wrapped_partial(mobilenet_v1, depth_multiplier=0.50)
mobilenet_v1_025 = wrapped_partial(mobilenet_v1, depth_multiplier=0.25)


def _pool_window(net) -> list[int]:
    """Returns 7 x 7, or less where the feature map is known to be smaller."""
    return [7 if side is None else min(side, 7) for side in net.shape.as_list()[1:3]]


def mobilenet_v1_arg_scope(
    is_training=True,
    weight_decay=0.00004,
    stddev=0.09,
    regularize_depthwise=False,
    batch_norm_decay=0.9997,
    batch_norm_epsilon=0.001,
    batch_norm_updates_collections=tf.GraphKeys.UPDATE_OPS,
    normalizer_fn=slim.batch_norm,
):
    """Returns the arg scope that the published weights were trained under.

    Args:
      is_training: Whether batch norm works as in training; None leaves that to an outer scope.
      weight_decay: Factor of the L2 loss on weights.
      stddev: Standard deviation of the truncated normal that weights start from.
      regularize_depthwise: Whether depthwise weights, few and wide-ranging, decay as well.
      batch_norm_decay: Fraction of the old moving average that an update keeps.
      batch_norm_epsilon: Added to variances before dividing.
      batch_norm_updates_collections: Collection of the updates of the moving averages.
      normalizer_fn: Normalization behind each convolution.
    """
    batch_norm = {
        "center": True,
        "scale": True,
        "decay": batch_norm_decay,
        "epsilon": batch_norm_epsilon,
        "updates_collections": batch_norm_updates_collections,
    }
    if is_training is not None:
        batch_norm["is_training"] = is_training
    regularizer = slim.l2_regularizer(weight_decay)
    with (
        slim.arg_scope(
            [slim.conv2d, slim.separable_conv2d],
            weights_initializer=tf.truncated_normal_initializer(stddev=stddev),
            activation_fn=tf.nn.relu6,
            normalizer_fn=normalizer_fn,
        ),
        slim.arg_scope([slim.batch_norm], **batch_norm),
        slim.arg_scope([slim.conv2d], weights_regularizer=regularizer),
        slim.arg_scope(
            [slim.separable_conv2d],
            weights_regularizer=regularizer if regularize_depthwise else None,
        ) as scope,
    ):
        return scope


_URL = "http://download.tensorflow.org/models/mobilenet_v1_2018_08_02/mobilenet_v1_{}_{}{}.tgz"

# Width multiplier -> image size -> top-1 and top-5 of the weights trained in floating point,
# then of those trained for 8-bit arithmetic.
_ACCURACIES = {
    1.0: {
        224: (70.9, 89.9, 70.1, 88.9),
        192: (70.0, 89.2, 69.2, 88.3),
        160: (68.0, 87.7, 67.2, 86.7),
        128: (65.2, 85.8, 63.4, 84.2),
    },
    0.75: {
        224: (68.4, 88.2, 66.8, 87.0),
        192: (67.2, 87.3, 66.1, 86.4),
        160: (65.3, 86.0, 62.3, 83.8),
        128: (62.1, 83.9, 55.8, 78.8),
    },
    0.5: {
        224: (63.3, 84.9, 60.7, 83.2),
        192: (61.7, 83.6, 60.0, 82.2),
        160: (59.1, 81.9, 57.7, 80.4),
        128: (56.3, 79.4, 54.5, 77.7),
    },
    0.25: {
        224: (49.8, 74.2, 48.0, 72.8),
        192: (47.7, 72.3, 46.0, 71.2),
        160: (45.5, 70.3, 43.4, 68.5),
        128: (41.5, 66.3, 39.5, 64.4),
    },
}


def _checkpoints(multiplier: float):
    """Yields the published weights of one width, the largest images first."""
    for size, (top1, top5, quantized_top1, quantized_top5) in _ACCURACIES[multiplier].items():
        facts = {"image_size": size, "num_classes": 1001, "depth_multiplier": multiplier}
        yield Checkpoint(url=_URL.format(multiplier, size, ""), top1=top1, top5=top5, **facts)
        yield Checkpoint(
            url=_URL.format(multiplier, size, "_quant"),
            top1=quantized_top1,
            top5=quantized_top5,
            quantized=True,
            **facts,
        )


NETWORKS = tuple(
    Network(
        name=name,
        builder=builder,
        arg_scope=mobilenet_v1_arg_scope,
        preprocessing="inception",
        paper="arXiv:1704.04861",
        classifier_scopes=("MobilenetV1/Logits",),
        first_conv="MobilenetV1/Conv2d_0/weights",
        min_image_size=1,
        checkpoints=tuple(_checkpoints(multiplier)),
    )
    for name, builder, multiplier in (
        ("mobilenet_v1", mobilenet_v1, 1.0),
        ("mobilenet_v1_075", mobilenet_v1_075, 0.75),
        ("mobilenet_v1_050", mobilenet_v1_050, 0.5),
        ("mobilenet_v1_025", mobilenet_v1_025, 0.25),
    )
)
