"""Inception-ResNet v2: Inception modules that add to their input instead of replacing it.

C. Szegedy, S. Ioffe, V. Vanhoucke, A. Alemi: Inception-v4, Inception-ResNet and the impact of
residual connections on learning, arXiv:1602.07261.
"""

from nets import checks, inception_utils
from nets import inception_modules as modules
from nets.end_points import build, hidden, layer
from nets.inception_modules import avg_pool, branch, conv, max_pool, mixed
from nets.network import Checkpoint, Network
from slim_internal.ground.compat import slim, tf

# Figure 16 of the paper, 35 x 35.
_BLOCK35 = (
    branch(conv("Conv2d_1x1", depth=32, kernel=1)),
    branch(
        conv("Conv2d_0a_1x1", depth=32, kernel=1),
        conv("Conv2d_0b_3x3", depth=32, kernel=3),
    ),
    branch(
        conv("Conv2d_0a_1x1", depth=32, kernel=1),
        conv("Conv2d_0b_3x3", depth=48, kernel=3),
        conv("Conv2d_0c_3x3", depth=64, kernel=3),
    ),
)

# Figure 17, 17 x 17.
_BLOCK17 = (
    branch(conv("Conv2d_1x1", depth=192, kernel=1)),
    branch(
        conv("Conv2d_0a_1x1", depth=128, kernel=1),
        conv("Conv2d_0b_1x7", depth=160, kernel=(1, 7)),
        conv("Conv2d_0c_7x1", depth=192, kernel=(7, 1)),
    ),
)

# Figure 19, 8 x 8.
_BLOCK8 = (
    branch(conv("Conv2d_1x1", depth=192, kernel=1)),
    branch(
        conv("Conv2d_0a_1x1", depth=192, kernel=1),
        conv("Conv2d_0b_1x3", depth=224, kernel=(1, 3)),
        conv("Conv2d_0c_3x1", depth=256, kernel=(3, 1)),
    ),
)


def block35(net, scale=1.0, activation_fn=tf.nn.relu, scope=None, reuse=None):
    """Adds a residual module of the 35 x 35 stage; arguments as for `block8`."""
    return _residual(net, _BLOCK35, scale, activation_fn, scope, "Block35", reuse)


def block17(net, scale=1.0, activation_fn=tf.nn.relu, scope=None, reuse=None):
    """Adds a residual module of the 17 x 17 stage; arguments as for `block8`."""
    return _residual(net, _BLOCK17, scale, activation_fn, scope, "Block17", reuse)


def block8(net, scale=1.0, activation_fn=tf.nn.relu, scope=None, reuse=None):
    """Adds a residual module of the 8 x 8 stage.

    Args:
      net: Feature map [batch, height, width, channels].
      scale: Factor of what is added to it; small ones keep the training of wide networks stable.
      activation_fn: What follows the sum; None for nothing.
      scope: Name of the variable scope.
      reuse: Whether to reuse the variables of an earlier call; needs `scope`.

    Returns:
      A feature map of the same shape.
    """
    return _residual(net, _BLOCK8, scale, activation_fn, scope, "Block8", reuse)


def _residual(net, branches, scale, activation_fn, scope, default_scope, reuse):
    with tf.variable_scope(scope, default_scope, [net], reuse=reuse):
        residual = slim.conv2d(
            modules.apply_branches(net, branches),
            net.shape.as_list()[3],
            1,
            normalizer_fn=None,
            activation_fn=None,
            scope="Conv2d_1x1",
        )
        residual *= scale
        if activation_fn is tf.nn.relu6:
            # Fixed-point arithmetic needs bounds on both sides of the sum.
            residual = tf.clip_by_value(residual, -6.0, 6.0)
        net += residual
        return activation_fn(net) if activation_fn else net


def _repeat(net, block, times, rate=1, scope=None, **kwargs):
    """Builds a block several times, as <block>_1, <block>_2, ... within a scope."""
    with tf.variable_scope(scope), slim.arg_scope([slim.conv2d], rate=rate):
        for number in range(1, times + 1):
            net = block(net, scope=f"{block.__name__}_{number}", **kwargs)
    return net


def _unchanged(net, scope):
    del scope
    return net


def _layers(padding="VALID", reduction_a=2, activation_fn=tf.nn.relu):
    """Returns the table of the network.

    Args:
      padding: That of the layers which lose the border in the paper.
      reduction_a: Stride of "Mixed_6a", 2 or 1; with 1 the stage after it keeps the resolution
        and dilates its convolutions instead.
      activation_fn: What follows the sum of each residual module.
    """
    return (
        # Stem, from 299 x 299 x 3.
        conv("Conv2d_1a_3x3", depth=32, kernel=3, stride=2, padding=padding),  # 149 x 149 x 32
        conv("Conv2d_2a_3x3", depth=32, kernel=3, padding=padding),  # 147 x 147 x 32
        conv("Conv2d_2b_3x3", depth=64, kernel=3),  # 147 x 147 x 64
        max_pool("MaxPool_3a_3x3", kernel=3, stride=2, padding=padding),  # 73 x 73 x 64
        conv("Conv2d_3b_1x1", depth=80, kernel=1, padding=padding),  # 73 x 73 x 80
        conv("Conv2d_4a_3x3", depth=192, kernel=3, padding=padding),  # 71 x 71 x 192
        max_pool("MaxPool_5a_3x3", kernel=3, stride=2, padding=padding),  # 35 x 35 x 192
        mixed(  # 35 x 35 x 320
            "Mixed_5b",
            branch(conv("Conv2d_1x1", depth=96, kernel=1)),
            branch(
                conv("Conv2d_0a_1x1", depth=48, kernel=1),
                conv("Conv2d_0b_5x5", depth=64, kernel=5),
            ),
            branch(
                conv("Conv2d_0a_1x1", depth=64, kernel=1),
                conv("Conv2d_0b_3x3", depth=96, kernel=3),
                conv("Conv2d_0c_3x3", depth=96, kernel=3),
            ),
            branch(
                avg_pool("AvgPool_0a_3x3", kernel=3),
                conv("Conv2d_0b_1x1", depth=64, kernel=1),
            ),
        ),
        hidden("Repeat", _repeat, block35, times=10, scale=0.17, activation_fn=activation_fn),
        mixed(  # 17 x 17 x 1088
            "Mixed_6a",
            branch(conv("Conv2d_1a_3x3", depth=384, kernel=3, stride=reduction_a, padding=padding)),
            branch(
                conv("Conv2d_0a_1x1", depth=256, kernel=1),
                conv("Conv2d_0b_3x3", depth=256, kernel=3),
                conv("Conv2d_1a_3x3", depth=384, kernel=3, stride=reduction_a, padding=padding),
            ),
            branch(max_pool("MaxPool_1a_3x3", kernel=3, stride=reduction_a, padding=padding)),
        ),
        hidden(
            "Repeat_1",
            _repeat,
            block17,
            times=20,
            rate=2 // reduction_a,
            scale=0.10,
            activation_fn=activation_fn,
        ),
        layer("PreAuxLogits", _unchanged),  # What the auxiliary classifier reads.
        mixed(  # 8 x 8 x 2080
            "Mixed_7a",
            branch(
                conv("Conv2d_0a_1x1", depth=256, kernel=1),
                conv("Conv2d_1a_3x3", depth=384, kernel=3, stride=2, padding=padding),
            ),
            branch(
                conv("Conv2d_0a_1x1", depth=256, kernel=1),
                conv("Conv2d_1a_3x3", depth=288, kernel=3, stride=2, padding=padding),
            ),
            branch(
                conv("Conv2d_0a_1x1", depth=256, kernel=1),
                conv("Conv2d_0b_3x3", depth=288, kernel=3),
                conv("Conv2d_1a_3x3", depth=320, kernel=3, stride=2, padding=padding),
            ),
            branch(max_pool("MaxPool_1a_3x3", kernel=3, stride=2, padding=padding)),
        ),
        hidden("Repeat_2", _repeat, block8, times=9, scale=0.20, activation_fn=activation_fn),
        hidden("Block8", block8, activation_fn=None),
        conv("Conv2d_7b_1x1", depth=1536, kernel=1),  # 8 x 8 x 1536
    )


# The smallest image whose 17 x 17 stage still fits the 5 x 5 window of the auxiliary classifier.
_MIN_SIZE_WITH_AUX = modules.smallest_input(_layers(), until="PreAuxLogits", output=5)


def inception_resnet_v2_base(
    inputs,
    final_endpoint="Conv2d_7b_1x1",
    output_stride=16,
    align_feature_maps=False,
    scope=None,
    activation_fn=tf.nn.relu,
):
    """Builds Inception-ResNet v2 up to a layer of choice, without a classifier.

    Args:
      inputs: Images [batch, height, width, 3].
      final_endpoint: Name of the last layer to build: "Conv2d_1a_3x3", "Conv2d_2a_3x3",
        "Conv2d_2b_3x3", "MaxPool_3a_3x3", "Conv2d_3b_1x1", "Conv2d_4a_3x3", "MaxPool_5a_3x3",
        "Mixed_5b", "Mixed_6a", "PreAuxLogits", "Mixed_7a" or "Conv2d_7b_1x1".
      output_stride: How many times smaller than the image the map at "PreAuxLogits" is: 8 or 16.
        With 8 there is nothing after "PreAuxLogits".
      align_feature_maps: Whether to pad where the paper does not, so that positions in the feature
        maps are multiples of the stride in the image.
      scope: Name of the variable scope.
      activation_fn: What follows the sum of each residual module.

    Returns:
      The output of the last layer, and a dict from the names of all layers to their outputs.

    Raises:
      errors.UserError: for an unknown layer or output stride, images of another rank or too small.
    """
    checks.choice("output_stride", output_stride, (8, 16))
    layers = _layers(
        padding="SAME" if align_feature_maps else "VALID",
        reduction_a=output_stride // 8,
        activation_fn=activation_fn,
    )
    if output_stride == 8:
        layers = layers[: 1 + [row.name for row in layers].index("PreAuxLogits")]
    checks.images(inputs, modules.smallest_input(layers, until=final_endpoint))
    with tf.variable_scope(scope, "InceptionResnetV2", [inputs]):
        return build(inputs, layers, final_endpoint)


def inception_resnet_v2(
    inputs,
    num_classes=1001,
    is_training=True,
    dropout_keep_prob=0.8,
    reuse=None,
    scope="InceptionResnetV2",
    create_aux_logits=True,
    activation_fn=tf.nn.relu,
):
    """Builds Inception-ResNet v2.

    Args:
      inputs: Images [batch, height, width, 3], 299 x 299 in the paper.
      num_classes: Number of classes; None or 0 leaves the classifiers out.
      is_training: Whether batch normalization and dropout behave as in training.
      dropout_keep_prob: Fraction of activations that dropout keeps.
      reuse: Whether to reuse the variables of an earlier call; needs `scope`.
      scope: Name of the variable scope.
      create_aux_logits: Whether to add the auxiliary classifier, in evaluation too.
      activation_fn: What follows the sum of each residual module.

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
        tf.variable_scope(scope, "InceptionResnetV2", [inputs], reuse=reuse) as scope,
        slim.arg_scope([slim.batch_norm, slim.dropout], is_training=is_training),
    ):
        net, end_points = inception_resnet_v2_base(inputs, scope=scope, activation_fn=activation_fn)
        if with_aux:
            end_points["AuxLogits"] = inception_utils.dense_aux_logits(
                end_points["PreAuxLogits"], num_classes, conv_scope="Conv2d_2a_5x5", scope="Logits"
            )
        logits = inception_utils.dense_classifier(
            net,
            end_points,
            num_classes,
            dropout_keep_prob=dropout_keep_prob,
            pool_scope="AvgPool_1a_8x8",
            dropout_scope="Dropout",
        )
    return logits, end_points


inception_resnet_v2.default_image_size = 299


def inception_resnet_v2_arg_scope(
    weight_decay=0.00004,
    batch_norm_decay=0.9997,
    batch_norm_epsilon=0.001,
    activation_fn=tf.nn.relu,
    batch_norm_updates_collections=tf.GraphKeys.UPDATE_OPS,
    batch_norm_scale=False,
):
    """Returns the arg scope of Inception-ResNet v2.

    Args:
      weight_decay: Factor of the l2 penalty on the weights and biases of all layers.
      batch_norm_decay: Fraction of the moving averages that one step keeps.
      batch_norm_epsilon: What is added to the variance before dividing by its root.
      activation_fn: What follows each convolution outside the sums.
      batch_norm_updates_collections: Collection for the updates of the moving averages; None
        updates them in place.
      batch_norm_scale: Whether batch normalization learns a factor (gamma) besides its offset.
    """
    with slim.arg_scope(
        [slim.conv2d, slim.fully_connected],
        weights_regularizer=slim.l2_regularizer(weight_decay),
        biases_regularizer=slim.l2_regularizer(weight_decay),
    ):
        with slim.arg_scope(
            [slim.conv2d],
            activation_fn=activation_fn,
            **inception_utils.batch_norm_arguments(
                batch_norm_decay,
                batch_norm_epsilon,
                batch_norm_updates_collections,
                batch_norm_scale,
            ),
        ) as scope:
            return scope


NETWORKS = (
    Network(
        name="inception_resnet_v2",
        builder=inception_resnet_v2,
        arg_scope=inception_resnet_v2_arg_scope,
        preprocessing="inception",
        paper="arXiv:1602.07261",
        classifier_scopes=("InceptionResnetV2/Logits", "InceptionResnetV2/AuxLogits/Logits"),
        aux_scopes=("InceptionResnetV2/AuxLogits",),
        first_conv="InceptionResnetV2/Conv2d_1a_3x3/weights",
        min_image_size=_MIN_SIZE_WITH_AUX,
        checkpoints=(
            Checkpoint(
                url="http://download.tensorflow.org/models/inception_resnet_v2_2016_08_30.tar.gz",
                image_size=299,
                num_classes=1001,
                top1=80.4,
                top5=95.3,
            ),
        ),
    ),
)
