"""LeNet-5 in a wider form with ReLU, for handwritten digits.

Y. LeCun, L. Bottou, Y. Bengio, P. Haffner: Gradient-based learning applied to document
recognition, Proceedings of the IEEE 86(11), 1998.
"""

from nets import checks
from nets.end_points import build, layer
from nets.initializers import trunc_normal
from nets.network import Network
from slim_internal.ground.compat import slim, tf

_MIN_IMAGE_SIZE = 4

_FEATURES = (
    layer("conv1", slim.conv2d, 32, [5, 5]),  # 28 x 28
    layer("pool1", slim.max_pool2d, [2, 2], stride=2),  # 14 x 14
    layer("conv2", slim.conv2d, 64, [5, 5]),  # 14 x 14
    layer("pool2", slim.max_pool2d, [2, 2], stride=2),  # 7 x 7
    layer("Flatten", slim.flatten),
    layer("fc3", slim.fully_connected, 1024),
)


def lenet(
    images,
    num_classes=10,
    is_training=False,
    dropout_keep_prob=0.5,
    prediction_fn=slim.softmax,
    scope="LeNet",
):
    """Builds LeNet.

    Args:
      images: Tensor [batch, height, width, channels], 28 x 28 x 1 for MNIST.
      num_classes: Number of classes; None or 0 leaves the classifier out.
      is_training: Whether dropout is on.
      dropout_keep_prob: Fraction of activations that dropout keeps.
      prediction_fn: Turns logits into predictions.
      scope: Name of the variable scope.

    Returns:
      Logits [batch, num_classes], or the features [batch, 1024] without a classifier; and a dict
      from the names of the layers to their outputs.

    Raises:
      errors.UserError: for images of another rank, too small or of unknown size.
    """
    checks.images(images, _MIN_IMAGE_SIZE)
    checks.known_size(images)
    with tf.variable_scope(scope, "LeNet"):
        net, end_points = build(images, _FEATURES)
        if not num_classes:
            return net, end_points
        net = end_points["dropout3"] = slim.dropout(
            net, dropout_keep_prob, is_training=is_training, scope="dropout3"
        )
        logits = end_points["Logits"] = slim.fully_connected(
            net, num_classes, activation_fn=None, scope="fc4"
        )
    end_points["Predictions"] = prediction_fn(logits, scope="Predictions")
    return logits, end_points


lenet.default_image_size = 28


def lenet_arg_scope(weight_decay=0.0):
    """Returns the arg scope of LeNet.

    Args:
      weight_decay: Factor of the l2 penalty on all weights.
    """
    with slim.arg_scope(
        [slim.conv2d, slim.fully_connected],
        weights_regularizer=slim.l2_regularizer(weight_decay),
        weights_initializer=trunc_normal(0.1),
        activation_fn=tf.nn.relu,
    ) as scope:
        return scope


NETWORKS = (
    Network(
        name="lenet",
        builder=lenet,
        arg_scope=lenet_arg_scope,
        preprocessing="lenet",
        paper="LeCun et al., Proceedings of the IEEE 86(11), 1998",
        classifier_scopes=("LeNet/fc4",),
        first_conv="LeNet/conv1/weights",
        min_image_size=_MIN_IMAGE_SIZE,
        num_classes=10,
        channels=1,
        fixed_image_size=True,
    ),
)
