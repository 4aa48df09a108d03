"""A network small enough to train in a blink, with what makes training hard to repeat."""

from nets.network import Network
from slim_internal.ground.compat import slim, tf


def tiny(images, num_classes, is_training, scope="Tiny"):
    """Builds a network with batch normalization and dropout for pictures of 28 x 28."""
    with tf.variable_scope(scope, "Tiny"):
        net = slim.avg_pool2d(images, 14, 14, scope="pool")
        with slim.arg_scope([slim.batch_norm], is_training=is_training):
            net = slim.conv2d(net, 4, 1, scope="conv", normalizer_fn=slim.batch_norm)
        net = slim.dropout(slim.flatten(net), 0.8, is_training=is_training, scope="dropout")
        logits = slim.fully_connected(net, num_classes, activation_fn=None, scope="logits")
    return logits, {"Logits": logits}


tiny.default_image_size = 28


def tiny_arg_scope(weight_decay=0.0, batch_norm_decay=0.9):
    """Returns the arg scope of the network."""
    with slim.arg_scope([slim.batch_norm], decay=batch_norm_decay):
        with slim.arg_scope(
            [slim.conv2d, slim.fully_connected],
            weights_regularizer=slim.l2_regularizer(weight_decay),
        ) as scope:
            return scope


NETWORK = Network(
    name="tiny",
    builder=tiny,
    arg_scope=tiny_arg_scope,
    preprocessing="lenet",
    paper="none",
    classifier_scopes=("Tiny/logits",),
    first_conv="Tiny/conv/weights",
    min_image_size=28,
    num_classes=4,
    channels=1,
)
