"""The body of AlexNet, OverFeat and VGG: convolutions, then fully connected layers as convolutions.

Fully connected layers written as convolutions give one prediction for an image of the default
size and a map of predictions for a larger one.
"""

from nets import checks
from nets.end_points import build
from slim_internal.ground.compat import slim, tf


def fully_convolutional(
    inputs,
    layers,
    num_classes,
    *,
    is_training,
    dropout_keep_prob,
    spatial_squeeze,
    global_pool,
    scope,
    **fc8,
):
    """Builds a network of this kind inside its variable scope.

    Args:
      inputs: Images [batch, height, width, channels].
      layers: The rows of the network up to the last features, see `end_points`.
      num_classes: Number of classes; None or 0 leaves the classifier out.
      is_training: Whether dropout is on.
      dropout_keep_prob: Fraction of activations that dropout keeps.
      spatial_squeeze: Whether to drop the height and width, both 1, of the logits.
      global_pool: Whether to average the features over all positions.
      scope: The variable scope of the network.
      **fc8: Further arguments of the convolution that makes the logits.

    Returns:
      Logits [batch, num_classes], [batch, h, w, num_classes] unless squeezed, or the features
      [batch, h, w, depth] without a classifier; and a dict from `<scope>/<layer>` to outputs.

    Raises:
      errors.UserError: if there is more than one position to squeeze.
    """
    with slim.arg_scope([slim.dropout], keep_prob=dropout_keep_prob, is_training=is_training):
        net, outputs = build(inputs, layers)
        end_points = {f"{scope.name}/{name}": output for name, output in outputs.items()}
        if global_pool:
            net = tf.reduce_mean(net, [1, 2], keepdims=True, name="global_pool")
            end_points["global_pool"] = net
        if not num_classes:
            return net, end_points
        net = slim.dropout(net, scope="dropout7")
        net = slim.conv2d(
            net, num_classes, [1, 1], activation_fn=None, normalizer_fn=None, scope="fc8", **fc8
        )
    if spatial_squeeze:
        checks.one_position(
            net,
            "Give images of the default size, average the positions with global_pool=True, or"
            " keep them all with spatial_squeeze=False.",
        )
        net = tf.squeeze(net, [1, 2], name="fc8/squeezed")
    end_points[f"{scope.name}/fc8"] = net
    return net, end_points
