"""Inception v1, GoogLeNet: branches of different reach side by side, behind cheap 1x1 reductions.

C. Szegedy, W. Liu, Y. Jia, P. Sermanet, S. Reed, D. Anguelov, D. Erhan, V. Vanhoucke,
A. Rabinovich: Going deeper with convolutions, arXiv:1409.4842. As in the published weights, batch
normalization follows each convolution, a 3x3 stands for the 5x5 of the paper, and there are no
auxiliary classifiers.
"""

from typing import NamedTuple

from nets import checks, inception_utils
from nets import inception_modules as modules
from nets.end_points import build
from nets.inception_modules import branch, conv, max_pool, mixed
from nets.initializers import trunc_normal
from nets.network import Checkpoint, Network
from slim_internal.ground.compat import slim, tf

inception_v1_arg_scope = inception_utils.inception_arg_scope


class Widths(NamedTuple):
    """Channels of the convolutions of a module, named as the columns of Table 1 of the paper."""

    conv1x1: int
    reduce3x3: int
    conv3x3: int
    reduce5x5: int
    conv5x5: int
    pool_proj: int


# Table 1 of the paper, which the networks for clips share.
WIDTHS = {
    # 28 x 28.
    "Mixed_3b": Widths(
        conv1x1=64, reduce3x3=96, conv3x3=128, reduce5x5=16, conv5x5=32, pool_proj=32
    ),
    "Mixed_3c": Widths(
        conv1x1=128, reduce3x3=128, conv3x3=192, reduce5x5=32, conv5x5=96, pool_proj=64
    ),
    # 14 x 14.
    "Mixed_4b": Widths(
        conv1x1=192, reduce3x3=96, conv3x3=208, reduce5x5=16, conv5x5=48, pool_proj=64
    ),
    "Mixed_4c": Widths(
        conv1x1=160, reduce3x3=112, conv3x3=224, reduce5x5=24, conv5x5=64, pool_proj=64
    ),
    "Mixed_4d": Widths(
        conv1x1=128, reduce3x3=128, conv3x3=256, reduce5x5=24, conv5x5=64, pool_proj=64
    ),
    "Mixed_4e": Widths(
        conv1x1=112, reduce3x3=144, conv3x3=288, reduce5x5=32, conv5x5=64, pool_proj=64
    ),
    "Mixed_4f": Widths(
        conv1x1=256, reduce3x3=160, conv3x3=320, reduce5x5=32, conv5x5=128, pool_proj=128
    ),
    # 7 x 7.
    "Mixed_5b": Widths(
        conv1x1=256, reduce3x3=160, conv3x3=320, reduce5x5=32, conv5x5=128, pool_proj=128
    ),
    "Mixed_5c": Widths(
        conv1x1=384, reduce3x3=192, conv3x3=384, reduce5x5=48, conv5x5=128, pool_proj=128
    ),
}


def _module(name, name_5x5="Conv2d_0b_3x3"):
    widths = WIDTHS[name]
    return mixed(
        name,
        branch(conv("Conv2d_0a_1x1", depth=widths.conv1x1, kernel=1)),
        branch(
            conv("Conv2d_0a_1x1", depth=widths.reduce3x3, kernel=1),
            conv("Conv2d_0b_3x3", depth=widths.conv3x3, kernel=3),
        ),
        branch(
            conv("Conv2d_0a_1x1", depth=widths.reduce5x5, kernel=1),
            conv(name_5x5, depth=widths.conv5x5, kernel=3),
        ),
        branch(
            max_pool("MaxPool_0a_3x3", kernel=3),
            conv("Conv2d_0b_1x1", depth=widths.pool_proj, kernel=1),
        ),
    )


_ROOT = (
    # From 224 x 224 x 3.
    conv("Conv2d_1a_7x7", depth=64, kernel=7, stride=2),  # 112 x 112 x 64
    max_pool("MaxPool_2a_3x3", kernel=3, stride=2),  # 56 x 56 x 64
    conv("Conv2d_2b_1x1", depth=64, kernel=1),  # 56 x 56 x 64
    conv("Conv2d_2c_3x3", depth=192, kernel=3),  # 56 x 56 x 192
    max_pool("MaxPool_3a_3x3", kernel=3, stride=2),  # 28 x 28 x 192
)

_MODULES = (
    _module("Mixed_3b"),  # 28 x 28 x 256
    _module("Mixed_3c"),  # 28 x 28 x 480
    max_pool("MaxPool_4a_3x3", kernel=3, stride=2),  # 14 x 14 x 480
    _module("Mixed_4b"),  # 14 x 14 x 512
    _module("Mixed_4c"),  # 14 x 14 x 512
    _module("Mixed_4d"),  # 14 x 14 x 512
    _module("Mixed_4e"),  # 14 x 14 x 528
    _module("Mixed_4f"),  # 14 x 14 x 832
    max_pool("MaxPool_5a_2x2", kernel=2, stride=2),  # 7 x 7 x 832
    _module("Mixed_5b", name_5x5="Conv2d_0a_3x3"),  # 7 x 7 x 832
    _module("Mixed_5c"),  # 7 x 7 x 1024
)

# The smallest image that fills the 7 x 7 window of the classifier.
_MIN_IMAGE_SIZE = modules.smallest_input(_ROOT + _MODULES, output=7)


def inception_v1_base(
    inputs, final_endpoint="Mixed_5c", include_root_block=True, scope="InceptionV1"
):
    """Builds Inception v1 up to a layer of choice, without a classifier.

    Args:
      inputs: Images [batch, height, width, 3]; or a feature map, without the root block.
      final_endpoint: Name of the last layer to build, one of those in `_ROOT` or `_MODULES`.
      include_root_block: Whether to build the layers before the first module.
      scope: Name of the variable scope.

    Returns:
      The output of the last layer, and a dict from the names of all layers to their outputs.

    Raises:
      errors.UserError: for an unknown layer or inputs of another rank.
    """
    layers = _ROOT + _MODULES if include_root_block else _MODULES
    checks.images(inputs)
    with (
        tf.variable_scope(scope, "InceptionV1", [inputs]),
        slim.arg_scope([slim.conv2d], weights_initializer=trunc_normal(0.01)),
    ):
        return build(inputs, layers, final_endpoint)


def inception_v1(
    inputs,
    num_classes=1000,
    is_training=True,
    dropout_keep_prob=0.8,
    prediction_fn=slim.softmax,
    spatial_squeeze=True,
    reuse=None,
    scope="InceptionV1",
    global_pool=False,
):
    """Builds Inception v1.

    Args:
      inputs: Images [batch, height, width, 3], 224 x 224 in the paper.
      num_classes: Number of classes; None or 0 leaves the classifier out.
      is_training: Whether batch normalization and dropout behave as in training.
      dropout_keep_prob: Fraction of activations that dropout keeps.
      prediction_fn: Turns logits into predictions.
      spatial_squeeze: Whether to give one prediction for each input, the mean of all positions,
        instead of keeping the axes of height and width.
      reuse: Whether to reuse the variables of an earlier call; needs `scope`.
      scope: Name of the variable scope.
      global_pool: Whether to average over the whole feature map, whatever the size of the images,
        instead of over windows of 7 x 7.

    Returns:
      Logits, or the pooled features [batch, h, w, 1024] without a classifier; and a dict from the
      names of the layers to their outputs.

    Raises:
      errors.UserError: for images of another rank, or too small for a window of 7 x 7 unless
        `global_pool` is set.
    """
    checks.images(inputs, 1 if global_pool else _MIN_IMAGE_SIZE)
    with (
        tf.variable_scope(scope, "InceptionV1", [inputs], reuse=reuse) as scope,
        slim.arg_scope([slim.batch_norm, slim.dropout], is_training=is_training),
    ):
        net, end_points = inception_v1_base(inputs, scope=scope)
        with tf.variable_scope("Logits"):
            net = inception_utils.pool(
                net,
                end_points,
                kernel=[7, 7],
                stride=1,
                scope="AvgPool_0a_7x7",
                end_point="AvgPool_0a_7x7",
                global_pool=global_pool,
            )
            if not num_classes:
                return net, end_points
            net = slim.dropout(net, dropout_keep_prob, scope="Dropout_0b")
            logits = end_points["Logits"] = inception_utils.class_scores(
                net, num_classes, scope="Conv2d_0c_1x1", spatial_squeeze=spatial_squeeze
            )
            end_points["Predictions"] = prediction_fn(logits, scope="Predictions")
    return logits, end_points


inception_v1.default_image_size = 224


NETWORKS = (
    Network(
        name="inception_v1",
        builder=inception_v1,
        arg_scope=inception_v1_arg_scope,
        preprocessing="inception",
        paper="arXiv:1409.4842",
        classifier_scopes=("InceptionV1/Logits",),
        first_conv="InceptionV1/Conv2d_1a_7x7/weights",
        min_image_size=_MIN_IMAGE_SIZE,
        checkpoints=(
            Checkpoint(
                url="http://download.tensorflow.org/models/inception_v1_2016_08_28.tar.gz",
                image_size=224,
                num_classes=1001,
                top1=69.8,
                top5=89.6,
            ),
        ),
    ),
)
