"""Inception v4: uniform modules at each size, without the constraints of earlier hardware.

C. Szegedy, S. Ioffe, V. Vanhoucke, A. Alemi: Inception-v4, Inception-ResNet and the impact of
residual connections on learning, arXiv:1602.07261.
"""

from nets import checks, inception_utils
from nets import inception_modules as modules
from nets.end_points import build
from nets.inception_modules import avg_pool, branch, conv, fork, max_pool, mixed
from nets.network import Checkpoint, Network
from slim_internal.ground.compat import slim, tf

inception_v4_arg_scope = inception_utils.inception_arg_scope

# Figure 4 of the paper, 35 x 35 x 384.
_INCEPTION_A = (
    branch(conv("Conv2d_0a_1x1", depth=96, kernel=1)),
    branch(
        conv("Conv2d_0a_1x1", depth=64, kernel=1),
        conv("Conv2d_0b_3x3", depth=96, kernel=3),
    ),
    branch(
        conv("Conv2d_0a_1x1", depth=64, kernel=1),
        conv("Conv2d_0b_3x3", depth=96, kernel=3),
        conv("Conv2d_0c_3x3", depth=96, kernel=3),
    ),
    branch(
        avg_pool("AvgPool_0a_3x3", kernel=3),
        conv("Conv2d_0b_1x1", depth=96, kernel=1),
    ),
)

# Figure 7, from 35 x 35 x 384 to 17 x 17 x 1024.
_REDUCTION_A = (
    branch(conv("Conv2d_1a_3x3", depth=384, kernel=3, stride=2, padding="VALID")),
    branch(
        conv("Conv2d_0a_1x1", depth=192, kernel=1),
        conv("Conv2d_0b_3x3", depth=224, kernel=3),
        conv("Conv2d_1a_3x3", depth=256, kernel=3, stride=2, padding="VALID"),
    ),
    branch(max_pool("MaxPool_1a_3x3", kernel=3, stride=2, padding="VALID")),
)

# Figure 5, 17 x 17 x 1024.
_INCEPTION_B = (
    branch(conv("Conv2d_0a_1x1", depth=384, kernel=1)),
    branch(
        conv("Conv2d_0a_1x1", depth=192, kernel=1),
        conv("Conv2d_0b_1x7", depth=224, kernel=(1, 7)),
        conv("Conv2d_0c_7x1", depth=256, kernel=(7, 1)),
    ),
    branch(
        conv("Conv2d_0a_1x1", depth=192, kernel=1),
        conv("Conv2d_0b_7x1", depth=192, kernel=(7, 1)),
        conv("Conv2d_0c_1x7", depth=224, kernel=(1, 7)),
        conv("Conv2d_0d_7x1", depth=224, kernel=(7, 1)),
        conv("Conv2d_0e_1x7", depth=256, kernel=(1, 7)),
    ),
    branch(
        avg_pool("AvgPool_0a_3x3", kernel=3),
        conv("Conv2d_0b_1x1", depth=128, kernel=1),
    ),
)

# Figure 8, from 17 x 17 x 1024 to 8 x 8 x 1536.
_REDUCTION_B = (
    branch(
        conv("Conv2d_0a_1x1", depth=192, kernel=1),
        conv("Conv2d_1a_3x3", depth=192, kernel=3, stride=2, padding="VALID"),
    ),
    branch(
        conv("Conv2d_0a_1x1", depth=256, kernel=1),
        conv("Conv2d_0b_1x7", depth=256, kernel=(1, 7)),
        conv("Conv2d_0c_7x1", depth=320, kernel=(7, 1)),
        conv("Conv2d_1a_3x3", depth=320, kernel=3, stride=2, padding="VALID"),
    ),
    branch(max_pool("MaxPool_1a_3x3", kernel=3, stride=2, padding="VALID")),
)

# Figure 6, 8 x 8 x 1536.
_INCEPTION_C = (
    branch(conv("Conv2d_0a_1x1", depth=256, kernel=1)),
    branch(
        conv("Conv2d_0a_1x1", depth=384, kernel=1),
        fork(
            conv("Conv2d_0b_1x3", depth=256, kernel=(1, 3)),
            conv("Conv2d_0c_3x1", depth=256, kernel=(3, 1)),
        ),
    ),
    branch(
        conv("Conv2d_0a_1x1", depth=384, kernel=1),
        conv("Conv2d_0b_3x1", depth=448, kernel=(3, 1)),
        conv("Conv2d_0c_1x3", depth=512, kernel=(1, 3)),
        fork(
            conv("Conv2d_0d_1x3", depth=256, kernel=(1, 3)),
            conv("Conv2d_0e_3x1", depth=256, kernel=(3, 1)),
        ),
    ),
    branch(
        avg_pool("AvgPool_0a_3x3", kernel=3),
        conv("Conv2d_0b_1x1", depth=256, kernel=1),
    ),
)

_LAYERS = (
    # Figure 3, the stem, from 299 x 299 x 3.
    conv("Conv2d_1a_3x3", depth=32, kernel=3, stride=2, padding="VALID"),  # 149 x 149 x 32
    conv("Conv2d_2a_3x3", depth=32, kernel=3, padding="VALID"),  # 147 x 147 x 32
    conv("Conv2d_2b_3x3", depth=64, kernel=3),  # 147 x 147 x 64
    mixed(  # 73 x 73 x 160
        "Mixed_3a",
        branch(max_pool("MaxPool_0a_3x3", kernel=3, stride=2, padding="VALID")),
        branch(conv("Conv2d_0a_3x3", depth=96, kernel=3, stride=2, padding="VALID")),
    ),
    mixed(  # 71 x 71 x 192
        "Mixed_4a",
        branch(
            conv("Conv2d_0a_1x1", depth=64, kernel=1),
            conv("Conv2d_1a_3x3", depth=96, kernel=3, padding="VALID"),
        ),
        branch(
            conv("Conv2d_0a_1x1", depth=64, kernel=1),
            conv("Conv2d_0b_1x7", depth=64, kernel=(1, 7)),
            conv("Conv2d_0c_7x1", depth=64, kernel=(7, 1)),
            conv("Conv2d_1a_3x3", depth=96, kernel=3, padding="VALID"),
        ),
    ),
    mixed(  # 35 x 35 x 384
        "Mixed_5a",
        branch(conv("Conv2d_1a_3x3", depth=192, kernel=3, stride=2, padding="VALID")),
        branch(max_pool("MaxPool_1a_3x3", kernel=3, stride=2, padding="VALID")),
    ),
    mixed("Mixed_5b", *_INCEPTION_A),  # 35 x 35 x 384
    mixed("Mixed_5c", *_INCEPTION_A),
    mixed("Mixed_5d", *_INCEPTION_A),
    mixed("Mixed_5e", *_INCEPTION_A),
    mixed("Mixed_6a", *_REDUCTION_A),  # 17 x 17 x 1024
    mixed("Mixed_6b", *_INCEPTION_B),
    mixed("Mixed_6c", *_INCEPTION_B),
    mixed("Mixed_6d", *_INCEPTION_B),
    mixed("Mixed_6e", *_INCEPTION_B),
    mixed("Mixed_6f", *_INCEPTION_B),
    mixed("Mixed_6g", *_INCEPTION_B),
    mixed("Mixed_6h", *_INCEPTION_B),
    mixed("Mixed_7a", *_REDUCTION_B),  # 8 x 8 x 1536
    mixed("Mixed_7b", *_INCEPTION_C),
    mixed("Mixed_7c", *_INCEPTION_C),
    mixed("Mixed_7d", *_INCEPTION_C),
)

# The smallest image whose 17 x 17 stage still fits the 5 x 5 window of the auxiliary classifier.
_MIN_SIZE_WITH_AUX = modules.smallest_input(_LAYERS, until="Mixed_6h", output=5)


def block_inception_a(inputs, scope=None, reuse=None):
    """Builds module A, 35 x 35; arguments as for `block_inception_c`."""
    return _block(inputs, _INCEPTION_A, scope, "BlockInceptionA", reuse)


def block_reduction_a(inputs, scope=None, reuse=None):
    """Builds reduction A, 35 x 35 to 17 x 17; arguments as for `block_inception_c`."""
    return _block(inputs, _REDUCTION_A, scope, "BlockReductionA", reuse)


def block_inception_b(inputs, scope=None, reuse=None):
    """Builds module B, 17 x 17; arguments as for `block_inception_c`."""
    return _block(inputs, _INCEPTION_B, scope, "BlockInceptionB", reuse)


def block_reduction_b(inputs, scope=None, reuse=None):
    """Builds reduction B, 17 x 17 to 8 x 8; arguments as for `block_inception_c`."""
    return _block(inputs, _REDUCTION_B, scope, "BlockReductionB", reuse)


def block_inception_c(inputs, scope=None, reuse=None):
    """Builds module C, 8 x 8.

    Args:
      inputs: Feature map [batch, height, width, channels].
      scope: Name of the variable scope; None finds an unused one.
      reuse: Whether to reuse the variables of an earlier call; needs `scope`.

    Returns:
      The joined outputs of all branches.
    """
    return _block(inputs, _INCEPTION_C, scope, "BlockInceptionC", reuse)


def _block(inputs, branches, scope, default_scope, reuse):
    with tf.variable_scope(scope, default_scope, [inputs], reuse=reuse):
        return modules.apply_branches(inputs, branches)


def inception_v4_base(inputs, final_endpoint="Mixed_7d", scope=None):
    """Builds Inception v4 up to a layer of choice, without a classifier.

    Args:
      inputs: Images [batch, height, width, 3].
      final_endpoint: Name of the last layer to build, one of those in `_LAYERS`.
      scope: Name of the variable scope.

    Returns:
      The output of the last layer, and a dict from the names of all layers to their outputs.

    Raises:
      errors.UserError: for an unknown layer, images of another rank or too small.
    """
    checks.images(inputs, modules.smallest_input(_LAYERS, until=final_endpoint))
    with tf.variable_scope(scope, "InceptionV4", [inputs]):
        return build(inputs, _LAYERS, final_endpoint)


def inception_v4(
    inputs,
    num_classes=1001,
    is_training=True,
    dropout_keep_prob=0.8,
    reuse=None,
    scope="InceptionV4",
    create_aux_logits=True,
):
    """Builds Inception v4.

    Args:
      inputs: Images [batch, height, width, 3], 299 x 299 in the paper.
      num_classes: Number of classes; None or 0 leaves the classifiers out.
      is_training: Whether batch normalization and dropout behave as in training.
      dropout_keep_prob: Fraction of activations that dropout keeps.
      reuse: Whether to reuse the variables of an earlier call; needs `scope`.
      scope: Name of the variable scope.
      create_aux_logits: Whether to add the auxiliary classifier, in evaluation too.

    Returns:
      Logits [batch, num_classes], or the mean features [batch, 1, 1, 1536] without a classifier;
      and a dict from the names of the layers to their outputs.

    Raises:
      errors.UserError: for images of another rank or too small, or of unknown size for an
        auxiliary classifier.
    """
    with_aux = create_aux_logits and num_classes
    if with_aux:
        inception_utils.check_aux_images(inputs, _MIN_SIZE_WITH_AUX)
    with (
        tf.variable_scope(scope, "InceptionV4", [inputs], reuse=reuse) as scope,
        slim.arg_scope([slim.batch_norm, slim.dropout], is_training=is_training),
    ):
        net, end_points = inception_v4_base(inputs, scope=scope)
        if with_aux:
            end_points["AuxLogits"] = inception_utils.dense_aux_logits(
                end_points["Mixed_6h"], num_classes, conv_scope="Conv2d_2a", scope="Aux_logits"
            )
        logits = inception_utils.dense_classifier(
            net,
            end_points,
            num_classes,
            dropout_keep_prob=dropout_keep_prob,
            pool_scope="AvgPool_1a",
            dropout_scope="Dropout_1b",
        )
    return logits, end_points


inception_v4.default_image_size = 299


NETWORKS = (
    Network(
        name="inception_v4",
        builder=inception_v4,
        arg_scope=inception_v4_arg_scope,
        preprocessing="inception",
        paper="arXiv:1602.07261",
        classifier_scopes=("InceptionV4/Logits", "InceptionV4/AuxLogits/Aux_logits"),
        aux_scopes=("InceptionV4/AuxLogits",),
        first_conv="InceptionV4/Conv2d_1a_3x3/weights",
        min_image_size=_MIN_SIZE_WITH_AUX,
        checkpoints=(
            Checkpoint(
                url="http://download.tensorflow.org/models/inception_v4_2016_09_09.tar.gz",
                image_size=299,
                num_classes=1001,
                top1=80.2,
                top5=95.2,
            ),
        ),
    ),
)
