"""VGG: K. Simonyan and A. Zisserman, arXiv:1409.1556.

Stages of 3 x 3 convolutions, each followed by a halving of the map; the networks differ only in
the number of convolutions per stage.
"""

from nets import checks
from nets.end_points import hidden, layer
from nets.fully_convolutional import fully_convolutional
from nets.network import Checkpoint, Network
from slim_internal.ground.compat import slim, tf

_WIDTHS = (64, 128, 256, 512, 512)  # 224, 112, 56, 28, 14 pixels wide

# Network -> convolutions per stage; configurations A, D and E of table 1 of the paper.
_DEPTHS = {
    "vgg_a": (1, 1, 2, 2, 2),
    "vgg_16": (2, 2, 3, 3, 3),
    "vgg_19": (2, 2, 4, 4, 4),
}

# Five halvings leave 7 x 7 positions of 224 x 224, what an unpadded fc6 needs.
_MIN_IMAGE_SIZE = {"VALID": 224, "SAME": 32}


def _layers(depths, fc_conv_padding):
    for stage, (width, depth) in enumerate(zip(_WIDTHS, depths, strict=True), start=1):
        for i in range(1, depth + 1):
            yield layer(f"conv{stage}/conv{stage}_{i}", slim.conv2d, width, [3, 3])
        yield layer(f"pool{stage}", slim.max_pool2d, [2, 2], stride=2)
    yield layer("fc6", slim.conv2d, 4096, [7, 7], padding=fc_conv_padding)
    yield hidden("dropout6", slim.dropout)
    yield layer("fc7", slim.conv2d, 4096, [1, 1])


def _variant(name):
    """Returns the function that builds one of the networks of `_DEPTHS`."""

    def vgg(
        inputs,
        num_classes=1000,
        is_training=True,
        dropout_keep_prob=0.5,
        spatial_squeeze=True,
        reuse=None,
        scope=name,
        fc_conv_padding="VALID",
        global_pool=False,
    ):
        """Builds VGG: with 11 layers that have weights (vgg_a), with 16, or with 19.

        Args:
          inputs: Images [batch, height, width, channels], 224 x 224 x 3 for ImageNet.
          num_classes: Number of classes; None or 0 leaves the classifier out.
          is_training: Whether dropout is on.
          dropout_keep_prob: Fraction of activations that dropout keeps.
          spatial_squeeze: Whether to drop the height and width, both 1, of the logits.
          reuse: Whether to use the variables of an earlier call with the same scope.
          scope: Name of the variable scope.
          fc_conv_padding: "VALID" gives one prediction for 224 x 224, "SAME" one for every 32 x 32.
          global_pool: Whether to average the features over all positions; then images of any size
            from 224 x 224 ("SAME": 32 x 32) give one prediction.

        Returns:
          Logits [batch, num_classes], [batch, h, w, num_classes] unless squeezed, or the features
          [batch, h, w, 4096] without a classifier; and a dict from `<scope>/<layer>` to outputs.

        Raises:
          errors.UserError: for images of another rank or size, or another padding.
        """
        checks.choice("fc_conv_padding", fc_conv_padding, _MIN_IMAGE_SIZE)
        checks.images(inputs, _MIN_IMAGE_SIZE[fc_conv_padding])
        with tf.variable_scope(scope, name, [inputs], reuse=reuse) as variable_scope:
            return fully_convolutional(
                inputs,
                _layers(_DEPTHS[name], fc_conv_padding),
                num_classes,
                is_training=is_training,
                dropout_keep_prob=dropout_keep_prob,
                spatial_squeeze=spatial_squeeze,
                global_pool=global_pool,
                scope=variable_scope,
            )

    vgg.__name__ = vgg.__qualname__ = name
    vgg.default_image_size = 224
    return vgg


vgg_a = _variant("vgg_a")
vgg_16 = _variant("vgg_16")
vgg_19 = _variant("vgg_19")

# What the paper's configurations D and E are called.
vgg_d = vgg_16
vgg_e = vgg_19


def vgg_arg_scope(weight_decay=0.0005):
    """Returns the arg scope of VGG.

    Args:
      weight_decay: Factor of the l2 penalty on all weights.
    """
    with (
        slim.arg_scope(
            [slim.conv2d, slim.fully_connected],
            activation_fn=tf.nn.relu,
            weights_regularizer=slim.l2_regularizer(weight_decay),
            biases_initializer=tf.zeros_initializer(),
        ),
        slim.arg_scope([slim.conv2d], padding="SAME") as scope,
    ):
        return scope


def _network(builder, *checkpoints):
    name = builder.__name__
    return Network(
        name=name,
        builder=builder,
        arg_scope=vgg_arg_scope,
        preprocessing="vgg",
        paper="arXiv:1409.1556",
        classifier_scopes=(f"{name}/fc8",),
        first_conv=f"{name}/conv1/conv1_1/weights",
        min_image_size=_MIN_IMAGE_SIZE["VALID"],
        num_classes=1000,
        fixed_image_size=True,
        checkpoints=checkpoints,
    )


NETWORKS = (
    _network(vgg_a),
    _network(
        vgg_16,
        Checkpoint(
            url="http://download.tensorflow.org/models/vgg_16_2016_08_28.tar.gz",
            image_size=224,
            num_classes=1000,
            top1=71.5,
            top5=89.8,
        ),
    ),
    _network(
        vgg_19,
        Checkpoint(
            url="http://download.tensorflow.org/models/vgg_19_2016_08_28.tar.gz",
            image_size=224,
            num_classes=1000,
            top1=71.1,
            top5=89.8,
        ),
    ),
)
