"""CifarNet: two convolutions with local response normalization, then fully connected layers.

After A. Krizhevsky's cuda-convnet networks for CIFAR-10 (photographs of ten classes, 32 x 32);
the normalization is that of A. Krizhevsky, I. Sutskever, G. Hinton: ImageNet classification with
deep convolutional neural networks, NIPS 2012.
"""

from nets import checks
from nets.end_points import build, hidden, layer
from nets.initializers import trunc_normal
from nets.network import Network
from slim_internal.ground.compat import slim, tf

_MIN_IMAGE_SIZE = 4


def _normalize(net, scope):
    return tf.nn.lrn(net, depth_radius=4, bias=1.0, alpha=0.001 / 9.0, beta=0.75, name=scope)


_FEATURES = (
    layer("conv1", slim.conv2d, 64, [5, 5]),  # 32 x 32
    layer("pool1", slim.max_pool2d, [2, 2], stride=2),  # 16 x 16
    hidden("norm1", _normalize),
    layer("conv2", slim.conv2d, 64, [5, 5]),  # 16 x 16
    hidden("norm2", _normalize),
    layer("pool2", slim.max_pool2d, [2, 2], stride=2),  # 8 x 8
    layer("Flatten", slim.flatten),
    layer("fc3", slim.fully_connected, 384),
    hidden("dropout3", slim.dropout),
    layer("fc4", slim.fully_connected, 192),
)


def cifarnet(
    images,
    num_classes=10,
    is_training=False,
    dropout_keep_prob=0.5,
    prediction_fn=slim.softmax,
    scope="CifarNet",
):
    """Builds CifarNet.

    Args:
      images: Tensor [batch, height, width, channels], 32 x 32 x 3 for CIFAR-10.
      num_classes: Number of classes; None or 0 leaves the classifier out.
      is_training: Whether dropout is on.
      dropout_keep_prob: Fraction of activations that dropout keeps.
      prediction_fn: Turns logits into predictions.
      scope: Name of the variable scope.

    Returns:
      Logits [batch, num_classes], or the features [batch, 192] without a classifier; and a dict
      from the names of the layers to their outputs.

    Raises:
      errors.UserError: for images of another rank, too small or of unknown size.
    """
    checks.images(images, _MIN_IMAGE_SIZE)
    checks.known_size(images)
    with (
        tf.variable_scope(scope, "CifarNet"),
        slim.arg_scope([slim.dropout], keep_prob=dropout_keep_prob, is_training=is_training),
    ):
        net, end_points = build(images, _FEATURES)
        if not num_classes:
            return net, end_points
        logits = end_points["Logits"] = slim.fully_connected(
            net,
            num_classes,
            biases_initializer=tf.zeros_initializer(),
            weights_initializer=trunc_normal(1 / 192.0),
            weights_regularizer=None,
            activation_fn=None,
            scope="logits",
        )
        end_points["Predictions"] = prediction_fn(logits, scope="Predictions")
    return logits, end_points


cifarnet.default_image_size = 32


def cifarnet_arg_scope(weight_decay=0.004):
    """Returns the arg scope of CifarNet.

    Args:
      weight_decay: Factor of the l2 penalty on the weights of fc3 and fc4, the only ones penalized.
    """
    with slim.arg_scope(
        [slim.conv2d], weights_initializer=trunc_normal(0.05), activation_fn=tf.nn.relu
    ):
        with slim.arg_scope(
            [slim.fully_connected],
            biases_initializer=tf.constant_initializer(0.1),
            weights_initializer=trunc_normal(0.04),
            weights_regularizer=slim.l2_regularizer(weight_decay),
            activation_fn=tf.nn.relu,
        ) as scope:
            return scope


NETWORKS = (
    Network(
        name="cifarnet",
        builder=cifarnet,
        arg_scope=cifarnet_arg_scope,
        preprocessing="cifarnet",
        paper="Krizhevsky, cuda-convnet, 2012",
        classifier_scopes=("CifarNet/logits",),
        first_conv="CifarNet/conv1/weights",
        min_image_size=_MIN_IMAGE_SIZE,
        num_classes=10,
        fixed_image_size=True,
    ),
)
