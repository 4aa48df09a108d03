"""OverFeat, the fast model: P. Sermanet et al., arXiv:1312.6229."""

from nets import checks
from nets.end_points import hidden, layer
from nets.fully_convolutional import fully_convolutional
from nets.initializers import trunc_normal
from nets.network import Network
from slim_internal.ground.compat import slim, tf

# fc6 needs a map of 6 x 6.
_MIN_IMAGE_SIZE = 231

_FULLY_CONNECTED = {
    "weights_initializer": trunc_normal(0.005),
    "biases_initializer": tf.constant_initializer(0.1),
}

_LAYERS = (
    layer("conv1", slim.conv2d, 64, [11, 11], stride=4, padding="VALID"),  # 56 x 56
    layer("pool1", slim.max_pool2d, [2, 2], stride=2),  # 28 x 28
    layer("conv2", slim.conv2d, 256, [5, 5], padding="VALID"),  # 24 x 24
    layer("pool2", slim.max_pool2d, [2, 2], stride=2),  # 12 x 12
    layer("conv3", slim.conv2d, 512, [3, 3]),  # 12 x 12
    layer("conv4", slim.conv2d, 1024, [3, 3]),  # 12 x 12
    layer("conv5", slim.conv2d, 1024, [3, 3]),  # 12 x 12
    layer("pool5", slim.max_pool2d, [2, 2], stride=2),  # 6 x 6
    layer("fc6", slim.conv2d, 3072, [6, 6], padding="VALID", **_FULLY_CONNECTED),  # 1 x 1
    hidden("dropout6", slim.dropout),
    layer("fc7", slim.conv2d, 4096, [1, 1], **_FULLY_CONNECTED),  # 1 x 1
)


def overfeat(
    inputs,
    num_classes=1000,
    is_training=True,
    dropout_keep_prob=0.5,
    spatial_squeeze=True,
    scope="overfeat",
    global_pool=False,
):
    """Builds OverFeat.

    Args:
      inputs: Images [batch, height, width, channels], 231 x 231 x 3 for ImageNet.
      num_classes: Number of classes; None or 0 leaves the classifier out.
      is_training: Whether dropout is on.
      dropout_keep_prob: Fraction of activations that dropout keeps.
      spatial_squeeze: Whether to drop the height and width, both 1, of the logits.
      scope: Name of the variable scope.
      global_pool: Whether to average the features over all positions; then images of any size
        from 231 x 231 give one prediction.

    Returns:
      Logits [batch, num_classes], [batch, h, w, num_classes] unless squeezed, or the features
      [batch, h, w, 4096] without a classifier; and a dict from `<scope>/<layer>` to outputs.

    Raises:
      errors.UserError: for images of another rank or size.
    """
    checks.images(inputs, _MIN_IMAGE_SIZE)
    with tf.variable_scope(scope, "overfeat", [inputs]) as variable_scope:
        return fully_convolutional(
            inputs,
            _LAYERS,
            num_classes,
            is_training=is_training,
            dropout_keep_prob=dropout_keep_prob,
            spatial_squeeze=spatial_squeeze,
            global_pool=global_pool,
            scope=variable_scope,
            weights_initializer=trunc_normal(0.005),
            biases_initializer=tf.zeros_initializer(),
        )


overfeat.default_image_size = 231


def overfeat_arg_scope(weight_decay=0.0005):
    """Returns the arg scope of OverFeat.

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
        slim.arg_scope([slim.conv2d], padding="SAME"),
        slim.arg_scope([slim.max_pool2d], padding="VALID") as scope,
    ):
        return scope


NETWORKS = (
    Network(
        name="overfeat",
        builder=overfeat,
        arg_scope=overfeat_arg_scope,
        preprocessing="vgg",
        paper="arXiv:1312.6229",
        classifier_scopes=("overfeat/fc8",),
        first_conv="overfeat/conv1/weights",
        min_image_size=_MIN_IMAGE_SIZE,
        num_classes=1000,
        fixed_image_size=True,
    ),
)
