"""Inception v2, BN-Inception: batch normalization, and two 3x3 in place of each 5x5.

S. Ioffe, C. Szegedy: Batch normalization: accelerating deep network training by reducing internal
covariate shift, arXiv:1502.03167.
"""

import dataclasses

from nets import checks, inception_utils
from nets import inception_modules as modules
from nets.end_points import build
from nets.inception_modules import avg_pool, branch, conv, max_pool, mixed
from nets.initializers import trunc_normal
from nets.network import Checkpoint, Network
from slim_internal.ground import errors
from slim_internal.ground.compat import slim, tf

# Its original name, by which client code knows it.
_reduced_kernel_size_for_small_input = inception_utils.reduced_kernel_size

inception_v2_arg_scope = inception_utils.inception_arg_scope

# Where the weights of the 1x1 convolutions start from.
_REDUCE = trunc_normal(0.09)
_PROJECT = trunc_normal(0.1)


def _module(
    name, *, conv1x1, reduce3x3, conv3x3, reduce_double, double3x3, pool_proj, pool=avg_pool
):
    """A module that keeps the resolution; arguments are the columns of Figure 5 of the paper."""
    pool_name = "AvgPool_0a_3x3" if pool is avg_pool else "MaxPool_0a_3x3"
    return mixed(
        name,
        branch(conv("Conv2d_0a_1x1", depth=conv1x1, kernel=1)),
        branch(
            conv("Conv2d_0a_1x1", depth=reduce3x3, kernel=1, initializer=_REDUCE),
            conv("Conv2d_0b_3x3", depth=conv3x3, kernel=3),
        ),
        branch(
            conv("Conv2d_0a_1x1", depth=reduce_double, kernel=1, initializer=_REDUCE),
            conv("Conv2d_0b_3x3", depth=double3x3, kernel=3),
            conv("Conv2d_0c_3x3", depth=double3x3, kernel=3),
        ),
        branch(
            pool(pool_name, kernel=3),
            conv("Conv2d_0b_1x1", depth=pool_proj, kernel=1, initializer=_PROJECT),
        ),
    )


def _reduction(name, *, reduce3x3, conv3x3, reduce_double, double3x3):
    """A module that halves the resolution."""
    return mixed(
        name,
        branch(
            conv("Conv2d_0a_1x1", depth=reduce3x3, kernel=1, initializer=_REDUCE),
            conv("Conv2d_1a_3x3", depth=conv3x3, kernel=3, stride=2),
        ),
        branch(
            conv("Conv2d_0a_1x1", depth=reduce_double, kernel=1, initializer=_REDUCE),
            conv("Conv2d_0b_3x3", depth=double3x3, kernel=3),
            conv("Conv2d_1a_3x3", depth=double3x3, kernel=3, stride=2),
        ),
        branch(max_pool("MaxPool_1a_3x3", kernel=3, stride=2)),
    )


def _separable_conv(net, num_outputs, kernel_size, **kwargs):
    """A convolution with at most 8 kernels for each channel of the image."""
    return slim.separable_conv2d(
        net, num_outputs, kernel_size, depth_multiplier=min(num_outputs // 3, 8), **kwargs
    )


# From 224 x 224 x 3.
_FIRST_CONV = conv(
    "Conv2d_1a_7x7", depth=64, kernel=7, stride=2, initializer=trunc_normal(1.0)
)  # 112 x 112 x 64

_ROOT = (
    max_pool("MaxPool_2a_3x3", kernel=3, stride=2),  # 56 x 56 x 64
    conv("Conv2d_2b_1x1", depth=64, kernel=1, initializer=_PROJECT),  # 56 x 56 x 64
    conv("Conv2d_2c_3x3", depth=192, kernel=3),  # 56 x 56 x 192
    max_pool("MaxPool_3a_3x3", kernel=3, stride=2),  # 28 x 28 x 192
)

_MODULES = (
    _module(  # 28 x 28 x 256
        "Mixed_3b",
        conv1x1=64,
        reduce3x3=64,
        conv3x3=64,
        reduce_double=64,
        double3x3=96,
        pool_proj=32,
    ),
    _module(  # 28 x 28 x 320
        "Mixed_3c",
        conv1x1=64,
        reduce3x3=64,
        conv3x3=96,
        reduce_double=64,
        double3x3=96,
        pool_proj=64,
    ),
    _reduction(  # 14 x 14 x 576
        "Mixed_4a",
        reduce3x3=128,
        conv3x3=160,
        reduce_double=64,
        double3x3=96,
    ),
    _module(  # 14 x 14 x 576
        "Mixed_4b",
        conv1x1=224,
        reduce3x3=64,
        conv3x3=96,
        reduce_double=96,
        double3x3=128,
        pool_proj=128,
    ),
    _module(  # 14 x 14 x 576
        "Mixed_4c",
        conv1x1=192,
        reduce3x3=96,
        conv3x3=128,
        reduce_double=96,
        double3x3=128,
        pool_proj=128,
    ),
    _module(  # 14 x 14 x 576
        "Mixed_4d",
        conv1x1=160,
        reduce3x3=128,
        conv3x3=160,
        reduce_double=128,
        double3x3=160,
        pool_proj=96,
    ),
    _module(  # 14 x 14 x 576
        "Mixed_4e",
        conv1x1=96,
        reduce3x3=128,
        conv3x3=192,
        reduce_double=160,
        double3x3=192,
        pool_proj=96,
    ),
    _reduction(  # 7 x 7 x 1024
        "Mixed_5a",
        reduce3x3=128,
        conv3x3=192,
        reduce_double=192,
        double3x3=256,
    ),
    _module(  # 7 x 7 x 1024
        "Mixed_5b",
        conv1x1=352,
        reduce3x3=192,
        conv3x3=320,
        reduce_double=160,
        double3x3=224,
        pool_proj=128,
    ),
    _module(  # 7 x 7 x 1024
        "Mixed_5c",
        conv1x1=352,
        reduce3x3=192,
        conv3x3=320,
        reduce_double=192,
        double3x3=224,
        pool_proj=128,
        pool=max_pool,
    ),
)


def _layers(use_separable_conv, include_root_block):
    if not include_root_block:
        return _MODULES
    first = _FIRST_CONV
    if use_separable_conv:
        first = dataclasses.replace(first, op=_separable_conv)
    return (first, *_ROOT, *_MODULES)


def inception_v2_base(
    inputs,
    final_endpoint="Mixed_5c",
    min_depth=16,
    depth_multiplier=1.0,
    use_separable_conv=True,
    data_format="NHWC",
    include_root_block=True,
    scope=None,
):
    """Builds Inception v2 up to a layer of choice, without a classifier.

    Args:
      inputs: Images [batch, height, width, 3], for "NCHW" [batch, 3, height, width]; or a feature
        map, without the root block.
      final_endpoint: Name of the last layer to build, "Conv2d_1a_7x7" or one of those in `_ROOT`
        or `_MODULES`.
      min_depth: Minimum number of channels of any convolution.
      depth_multiplier: Factor for the number of channels of all convolutions.
      use_separable_conv: Whether the first convolution is separable, as in the published weights;
        only for "NHWC".
      data_format: Order of the axes of all feature maps, "NHWC" or "NCHW".
      include_root_block: Whether to build the layers before the first module.
      scope: Name of the variable scope.

    Returns:
      The output of the last layer, and a dict from the names of all layers to their outputs.

    Raises:
      errors.UserError: for an unknown layer or data format, a multiplier that is not positive,
        inputs of another rank, or a separable convolution with "NCHW".
    """
    checks.choice("data_format", data_format, ("NHWC", "NCHW"))
    if data_format == "NCHW" and use_separable_conv and include_root_block:
        raise errors.UserError(
            "The separable convolution needs data_format 'NHWC'; received 'NCHW'. "
            "Pass use_separable_conv=False."
        )
    checks.images(inputs)
    depth = modules.widths(depth_multiplier, min_depth)
    layers = modules.scaled(_layers(use_separable_conv, include_root_block), depth)
    formatted = [
        slim.conv2d,
        slim.max_pool2d,
        slim.avg_pool2d,
        slim.batch_norm,
        modules.apply_branches,
    ]
    with (
        tf.variable_scope(scope, "InceptionV2", [inputs]),
        slim.arg_scope(formatted, data_format=data_format),
    ):
        return build(inputs, layers, final_endpoint)


def inception_v2(
    inputs,
    num_classes=1000,
    is_training=True,
    dropout_keep_prob=0.8,
    min_depth=16,
    depth_multiplier=1.0,
    prediction_fn=slim.softmax,
    spatial_squeeze=True,
    reuse=None,
    scope="InceptionV2",
    global_pool=False,
):
    """Builds Inception v2.

    Args:
      inputs: Images [batch, height, width, 3], 224 x 224 in the paper.
      num_classes: Number of classes; None or 0 leaves the classifier out.
      is_training: Whether batch normalization and dropout behave as in training.
      dropout_keep_prob: Fraction of activations that dropout keeps.
      min_depth: Minimum number of channels of any convolution.
      depth_multiplier: Factor for the number of channels of all convolutions.
      prediction_fn: Turns logits into predictions.
      spatial_squeeze: Whether to give one prediction for each input, the mean of all positions,
        instead of keeping the axes of height and width.
      reuse: Whether to reuse the variables of an earlier call; needs `scope`.
      scope: Name of the variable scope.
      global_pool: Whether to average over the whole feature map, whatever the size of the images,
        instead of over windows of 7 x 7.

    Returns:
      Logits, or the pooled features [batch, h, w, channels] without a classifier; and a dict from
      the names of the layers to their outputs.

    Raises:
      errors.UserError: for a multiplier that is not positive or images of another rank.
    """
    with (
        tf.variable_scope(scope, "InceptionV2", [inputs], reuse=reuse) as scope,
        slim.arg_scope([slim.batch_norm, slim.dropout], is_training=is_training),
    ):
        net, end_points = inception_v2_base(
            inputs, min_depth=min_depth, depth_multiplier=depth_multiplier, scope=scope
        )
        logits = inception_utils.pooled_classifier(
            net,
            end_points,
            num_classes,
            window=7,
            dropout_keep_prob=dropout_keep_prob,
            prediction_fn=prediction_fn,
            spatial_squeeze=spatial_squeeze,
            global_pool=global_pool,
        )
    return logits, end_points


inception_v2.default_image_size = 224


NETWORKS = (
    Network(
        name="inception_v2",
        builder=inception_v2,
        arg_scope=inception_v2_arg_scope,
        preprocessing="inception",
        paper="arXiv:1502.03167",
        classifier_scopes=("InceptionV2/Logits",),
        first_conv="InceptionV2/Conv2d_1a_7x7/depthwise_weights",
        min_image_size=1,  # All layers pad, and the window of the classifier shrinks.
        checkpoints=(
            Checkpoint(
                url="http://download.tensorflow.org/models/inception_v2_2016_08_28.tar.gz",
                image_size=224,
                num_classes=1001,
                top1=73.9,
                top5=91.8,
            ),
        ),
    ),
)
