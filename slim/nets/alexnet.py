"""AlexNet in its later form, on a single tower: A. Krizhevsky, One weird trick, arXiv:1404.5997.

Without the response normalization of the first AlexNet.
"""

from nets import checks
from nets.end_points import hidden, layer
from nets.fully_convolutional import fully_convolutional
from nets.initializers import trunc_normal
from nets.network import Network
from slim_internal.ground.compat import slim, tf

# fc6 needs a map of 5 x 5.
_MIN_IMAGE_SIZE = 195

_FULLY_CONNECTED = {
    "weights_initializer": trunc_normal(0.005),
    "biases_initializer": tf.constant_initializer(0.1),
}

_LAYERS = (
    layer("conv1", slim.conv2d, 64, [11, 11], stride=4, padding="VALID"),  # 54 x 54
    layer("pool1", slim.max_pool2d, [3, 3], stride=2),  # 26 x 26
    layer("conv2", slim.conv2d, 192, [5, 5]),  # 26 x 26
    layer("pool2", slim.max_pool2d, [3, 3], stride=2),  # 12 x 12
    layer("conv3", slim.conv2d, 384, [3, 3]),  # 12 x 12
    layer("conv4", slim.conv2d, 384, [3, 3]),  # 12 x 12
    layer("conv5", slim.conv2d, 256, [3, 3]),  # 12 x 12
    layer("pool5", slim.max_pool2d, [3, 3], stride=2),  # 5 x 5
    layer("fc6", slim.conv2d, 4096, [5, 5], padding="VALID", **_FULLY_CONNECTED),  # 1 x 1
    hidden("dropout6", slim.dropout),
    layer("fc7", slim.conv2d, 4096, [1, 1], **_FULLY_CONNECTED),  # 1 x 1
)


def alexnet_v2(
    inputs,
    num_classes=1000,
    is_training=True,
    dropout_keep_prob=0.5,
    spatial_squeeze=True,
    scope="alexnet_v2",
    global_pool=False,
):
    """Builds AlexNet version 2.

    Args:
      inputs: Images [batch, height, width, channels], 224 x 224 x 3 for ImageNet.
      num_classes: Number of classes; None or 0 leaves the classifier out.
      is_training: Whether dropout is on.
      dropout_keep_prob: Fraction of activations that dropout keeps.
      spatial_squeeze: Whether to drop the height and width, both 1, of the logits.
      scope: Name of the variable scope.
      global_pool: Whether to average the features over all positions; then images of any size
        from 195 x 195 give one prediction.

    Returns:
      Logits [batch, num_classes], [batch, h, w, num_classes] unless squeezed, or the features
      [batch, h, w, 4096] without a classifier; and a dict from `<scope>/<layer>` to outputs.

    Raises:
      errors.UserError: for images of another rank or size.
    """
    checks.images(inputs, _MIN_IMAGE_SIZE)
    with tf.variable_scope(scope, "alexnet_v2", [inputs]) as variable_scope:
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


alexnet_v2.default_image_size = 224


def alexnet_v2_arg_scope(weight_decay=0.0005):
    """Returns the arg scope of AlexNet.

    Args:
      weight_decay: Factor of the l2 penalty on all weights.
    """
    with (
        slim.arg_scope(
            [slim.conv2d, slim.fully_connected],
            activation_fn=tf.nn.relu,
            biases_initializer=tf.constant_initializer(0.1),
            weights_regularizer=slim.l2_regularizer(weight_decay),
        ),
        slim.arg_scope([slim.conv2d], padding="SAME"),
        slim.arg_scope([slim.max_pool2d], padding="VALID") as scope,
    ):
        return scope


NETWORKS = (
    Network(
        name="alexnet_v2",
        builder=alexnet_v2,
        arg_scope=alexnet_v2_arg_scope,
        preprocessing="vgg",
        paper="arXiv:1404.5997",
        classifier_scopes=("alexnet_v2/fc8",),
        first_conv="alexnet_v2/conv1/weights",
        min_image_size=_MIN_IMAGE_SIZE,
        num_classes=1000,
        fixed_image_size=True,
    ),
)
