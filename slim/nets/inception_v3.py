"""Inception v3: convolutions factorized into smaller and asymmetric ones.

C. Szegedy, V. Vanhoucke, S. Ioffe, J. Shlens, Z. Wojna: Rethinking the Inception architecture for
computer vision, arXiv:1512.00567.
"""

from nets import checks, inception_utils
from nets import inception_modules as modules
from nets.end_points import build
from nets.inception_modules import avg_pool, branch, conv, fork, max_pool, mixed
from nets.initializers import trunc_normal
from nets.network import Checkpoint, Network
from slim_internal.ground.compat import slim, tf

# Its original name, by which client code knows it.
_reduced_kernel_size_for_small_input = inception_utils.reduced_kernel_size

inception_v3_arg_scope = inception_utils.inception_arg_scope


def _figure_5(name, *, pool_proj, names_5x5=("Conv2d_0a_1x1", "Conv2d_0b_5x5")):
    """Figure 5 of the paper: two 3x3 in place of a 5x5, in one of the branches."""
    return mixed(
        name,
        branch(conv("Conv2d_0a_1x1", depth=64, kernel=1)),
        branch(
            conv(names_5x5[0], depth=48, kernel=1),
            conv(names_5x5[1], depth=64, kernel=5),
        ),
        branch(
            conv("Conv2d_0a_1x1", depth=64, kernel=1),
            conv("Conv2d_0b_3x3", depth=96, kernel=3),
            conv("Conv2d_0c_3x3", depth=96, kernel=3),
        ),
        branch(
            avg_pool("AvgPool_0a_3x3", kernel=3),
            conv("Conv2d_0b_1x1", depth=pool_proj, kernel=1),
        ),
    )


def _figure_6(name, *, depth_7x7):
    """Figure 6 of the paper: 7x7 as 1x7 and 7x1."""
    return mixed(
        name,
        branch(conv("Conv2d_0a_1x1", depth=192, kernel=1)),
        branch(
            conv("Conv2d_0a_1x1", depth=depth_7x7, kernel=1),
            conv("Conv2d_0b_1x7", depth=depth_7x7, kernel=(1, 7)),
            conv("Conv2d_0c_7x1", depth=192, kernel=(7, 1)),
        ),
        branch(
            conv("Conv2d_0a_1x1", depth=depth_7x7, kernel=1),
            conv("Conv2d_0b_7x1", depth=depth_7x7, kernel=(7, 1)),
            conv("Conv2d_0c_1x7", depth=depth_7x7, kernel=(1, 7)),
            conv("Conv2d_0d_7x1", depth=depth_7x7, kernel=(7, 1)),
            conv("Conv2d_0e_1x7", depth=192, kernel=(1, 7)),
        ),
        branch(
            avg_pool("AvgPool_0a_3x3", kernel=3),
            conv("Conv2d_0b_1x1", depth=192, kernel=1),
        ),
    )


def _figure_7(name, *, name_3x1):
    """Figure 7 of the paper: the last 3x3 spread into 1x3 and 3x1 side by side."""
    return mixed(
        name,
        branch(conv("Conv2d_0a_1x1", depth=320, kernel=1)),
        branch(
            conv("Conv2d_0a_1x1", depth=384, kernel=1),
            fork(
                conv("Conv2d_0b_1x3", depth=384, kernel=(1, 3)),
                conv(name_3x1, depth=384, kernel=(3, 1)),
            ),
        ),
        branch(
            conv("Conv2d_0a_1x1", depth=448, kernel=1),
            conv("Conv2d_0b_3x3", depth=384, kernel=3),
            fork(
                conv("Conv2d_0c_1x3", depth=384, kernel=(1, 3)),
                conv("Conv2d_0d_3x1", depth=384, kernel=(3, 1)),
            ),
        ),
        branch(
            avg_pool("AvgPool_0a_3x3", kernel=3),
            conv("Conv2d_0b_1x1", depth=192, kernel=1),
        ),
    )


_LAYERS = (
    # Stem, from 299 x 299 x 3.
    conv("Conv2d_1a_3x3", depth=32, kernel=3, stride=2, padding="VALID"),  # 149 x 149 x 32
    conv("Conv2d_2a_3x3", depth=32, kernel=3, padding="VALID"),  # 147 x 147 x 32
    conv("Conv2d_2b_3x3", depth=64, kernel=3),  # 147 x 147 x 64
    max_pool("MaxPool_3a_3x3", kernel=3, stride=2, padding="VALID"),  # 73 x 73 x 64
    conv("Conv2d_3b_1x1", depth=80, kernel=1, padding="VALID"),  # 73 x 73 x 80
    conv("Conv2d_4a_3x3", depth=192, kernel=3, padding="VALID"),  # 71 x 71 x 192
    max_pool("MaxPool_5a_3x3", kernel=3, stride=2, padding="VALID"),  # 35 x 35 x 192
    # 35 x 35.
    _figure_5("Mixed_5b", pool_proj=32),  # 35 x 35 x 256
    _figure_5("Mixed_5c", pool_proj=64, names_5x5=("Conv2d_0b_1x1", "Conv_1_0c_5x5")),  # x 288
    _figure_5("Mixed_5d", pool_proj=64),  # 35 x 35 x 288
    mixed(  # 17 x 17 x 768
        "Mixed_6a",
        branch(conv("Conv2d_1a_1x1", depth=384, kernel=3, stride=2, padding="VALID")),
        branch(
            conv("Conv2d_0a_1x1", depth=64, kernel=1),
            conv("Conv2d_0b_3x3", depth=96, kernel=3),
            conv("Conv2d_1a_1x1", depth=96, kernel=3, stride=2, padding="VALID"),
        ),
        branch(max_pool("MaxPool_1a_3x3", kernel=3, stride=2, padding="VALID")),
    ),
    # 17 x 17.
    _figure_6("Mixed_6b", depth_7x7=128),  # 17 x 17 x 768
    _figure_6("Mixed_6c", depth_7x7=160),  # 17 x 17 x 768
    _figure_6("Mixed_6d", depth_7x7=160),  # 17 x 17 x 768
    _figure_6("Mixed_6e", depth_7x7=192),  # 17 x 17 x 768
    mixed(  # 8 x 8 x 1280
        "Mixed_7a",
        branch(
            conv("Conv2d_0a_1x1", depth=192, kernel=1),
            conv("Conv2d_1a_3x3", depth=320, kernel=3, stride=2, padding="VALID"),
        ),
        branch(
            conv("Conv2d_0a_1x1", depth=192, kernel=1),
            conv("Conv2d_0b_1x7", depth=192, kernel=(1, 7)),
            conv("Conv2d_0c_7x1", depth=192, kernel=(7, 1)),
            conv("Conv2d_1a_3x3", depth=192, kernel=3, stride=2, padding="VALID"),
        ),
        branch(max_pool("MaxPool_1a_3x3", kernel=3, stride=2, padding="VALID")),
    ),
    # 8 x 8.
    _figure_7("Mixed_7b", name_3x1="Conv2d_0b_3x1"),  # 8 x 8 x 2048
    _figure_7("Mixed_7c", name_3x1="Conv2d_0c_3x1"),  # 8 x 8 x 2048
)


# The smallest image whose 17 x 17 stage still fits the 5 x 5 window of the auxiliary classifier.
_MIN_SIZE_WITH_AUX = modules.smallest_input(_LAYERS, until="Mixed_6e", output=5)


def inception_v3_base(
    inputs, final_endpoint="Mixed_7c", min_depth=16, depth_multiplier=1.0, scope=None
):
    """Builds Inception v3 up to a layer of choice, without a classifier.

    Args:
      inputs: Images [batch, height, width, 3].
      final_endpoint: Name of the last layer to build, one of those in `_LAYERS`.
      min_depth: Minimum number of channels of any convolution.
      depth_multiplier: Factor for the number of channels of all convolutions.
      scope: Name of the variable scope.

    Returns:
      The output of the last layer, and a dict from the names of all layers to their outputs.

    Raises:
      errors.UserError: for an unknown layer, a multiplier that is not positive, images of another
        rank or too small.
    """
    layers = modules.scaled(_LAYERS, modules.widths(depth_multiplier, min_depth))
    checks.images(inputs, modules.smallest_input(_LAYERS, until=final_endpoint))
    with tf.variable_scope(scope, "InceptionV3", [inputs]):
        return build(inputs, layers, final_endpoint)


def inception_v3(
    inputs,
    num_classes=1000,
    is_training=True,
    dropout_keep_prob=0.8,
    min_depth=16,
    depth_multiplier=1.0,
    prediction_fn=slim.softmax,
    spatial_squeeze=True,
    reuse=None,
    create_aux_logits=True,
    scope="InceptionV3",
    global_pool=False,
):
    """Builds Inception v3.

    Args:
      inputs: Images [batch, height, width, 3], 299 x 299 in the paper.
      num_classes: Number of classes; None or 0 leaves the classifiers out.
      is_training: Whether batch normalization and dropout behave as in training.
      dropout_keep_prob: Fraction of activations that dropout keeps.
      min_depth: Minimum number of channels of any convolution.
      depth_multiplier: Factor for the number of channels of all convolutions.
      prediction_fn: Turns logits into predictions.
      spatial_squeeze: Whether to give one prediction for each input, the mean of all positions,
        instead of keeping the axes of height and width.
      reuse: Whether to reuse the variables of an earlier call; needs `scope`.
      create_aux_logits: Whether to add the auxiliary classifier, in evaluation too.
      scope: Name of the variable scope.
      global_pool: Whether to average over the whole feature map, whatever the size of the images,
        instead of over windows of 8 x 8.

    Returns:
      Logits, or the pooled features [batch, h, w, channels] without a classifier; and a dict from
      the names of the layers to their outputs.

    Raises:
      errors.UserError: for a multiplier that is not positive, images of another rank or too small.
    """
    with_aux = create_aux_logits and num_classes
    if with_aux:
        checks.images(inputs, _MIN_SIZE_WITH_AUX)
    with (
        tf.variable_scope(scope, "InceptionV3", [inputs], reuse=reuse) as scope,
        slim.arg_scope([slim.batch_norm, slim.dropout], is_training=is_training),
    ):
        net, end_points = inception_v3_base(
            inputs, min_depth=min_depth, depth_multiplier=depth_multiplier, scope=scope
        )
        if with_aux:
            end_points["AuxLogits"] = _aux_logits(
                end_points["Mixed_6e"],
                num_classes,
                modules.widths(depth_multiplier, min_depth),
                spatial_squeeze,
            )
        logits = inception_utils.pooled_classifier(
            net,
            end_points,
            num_classes,
            window=8,
            dropout_keep_prob=dropout_keep_prob,
            prediction_fn=prediction_fn,
            spatial_squeeze=spatial_squeeze,
            global_pool=global_pool,
        )
    return logits, end_points


inception_v3.default_image_size = 299


def _aux_logits(net, num_classes, depth, spatial_squeeze):
    with tf.variable_scope("AuxLogits"):
        net = slim.avg_pool2d(net, 5, stride=3, scope="AvgPool_1a_5x5")  # 5 x 5 x 768
        net = slim.conv2d(net, depth(128), 1, scope="Conv2d_1b_1x1")  # 5 x 5 x 128
        # Smaller images have a smaller kernel here, under its own name.
        height, width = kernel = inception_utils.reduced_kernel_size(net, [5, 5])
        net = slim.conv2d(  # 1 x 1 x 768
            net,
            depth(768),
            kernel,
            padding="VALID",
            weights_initializer=trunc_normal(0.01),
            scope=f"Conv2d_2a_{height}x{width}",
        )
        return inception_utils.class_scores(
            net,
            num_classes,
            scope="Conv2d_2b_1x1",
            spatial_squeeze=spatial_squeeze,
            weights_initializer=trunc_normal(0.001),
        )


NETWORKS = (
    Network(
        name="inception_v3",
        builder=inception_v3,
        arg_scope=inception_v3_arg_scope,
        preprocessing="inception",
        paper="arXiv:1512.00567",
        classifier_scopes=("InceptionV3/Logits", "InceptionV3/AuxLogits/Conv2d_2b_1x1"),
        aux_scopes=("InceptionV3/AuxLogits",),
        first_conv="InceptionV3/Conv2d_1a_3x3/weights",
        min_image_size=_MIN_SIZE_WITH_AUX,
        checkpoints=(
            Checkpoint(
                url="http://download.tensorflow.org/models/inception_v3_2016_08_28.tar.gz",
                image_size=299,
                num_classes=1001,
                top1=78.0,
                top5=93.9,
            ),
        ),
    ),
)
