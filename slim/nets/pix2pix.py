"""Pix2Pix, which turns images into images by example: P. Isola et al., arXiv:1611.07004."""

import collections

from nets import checks
from slim_internal.ground.compat import slim, tf


class Block(collections.namedtuple("Block", ["num_filters", "decoder_keep_prob"])):
    """An encoder and the decoder that mirrors it.

    Attributes:
      num_filters: Number of channels of both.
      decoder_keep_prob: Fraction of activations that dropout keeps in the decoder; 0: no dropout.
    """


_BLOCKS = (
    Block(num_filters=64, decoder_keep_prob=0.5),  # 128 x 128
    Block(num_filters=128, decoder_keep_prob=0.5),  # 64 x 64
    Block(num_filters=256, decoder_keep_prob=0.5),  # 32 x 32
    Block(num_filters=512, decoder_keep_prob=0),  # 16 x 16
    Block(num_filters=512, decoder_keep_prob=0),  # 8 x 8
    Block(num_filters=512, decoder_keep_prob=0),  # 4 x 4
    Block(num_filters=512, decoder_keep_prob=0),  # 2 x 2
)


def _default_generator_blocks():
    """Returns the blocks of the paper, by the name under which client code asks for them."""
    return list(_BLOCKS)


def pix2pix_arg_scope():
    """Returns the arg scope of Pix2Pix."""
    with slim.arg_scope(
        [slim.conv2d, slim.conv2d_transpose],
        normalizer_fn=slim.instance_norm,
        normalizer_params={"center": True, "scale": True, "epsilon": 0.00001},
        weights_initializer=tf.random_normal_initializer(0, 0.02),
    ) as scope:
        return scope


def upsample(net, num_outputs, kernel_size, method="nn_upsample_conv"):
    """Enlarges a map; the result is normalized but not activated.

    Args:
      net: Tensor [batch, h, w, channels].
      num_outputs: Number of channels of the result.
      kernel_size: Factors of height and width.
      method: "nn_upsample_conv" to repeat values, then convolve; "conv2d_transpose" to do both in
        one.

    Returns:
      A tensor [batch, h * kernel_size[0], w * kernel_size[1], num_outputs].

    Raises:
      errors.UserError: for an unknown method.
    """
    checks.choice("method", method, ["nn_upsample_conv", "conv2d_transpose"])
    if method == "conv2d_transpose":
        return slim.conv2d_transpose(
            net, num_outputs, [4, 4], stride=kernel_size, activation_fn=None
        )
    shape = tf.shape(net)
    size = [kernel_size[0] * shape[1], kernel_size[1] * shape[2]]
    net = tf.image.resize_nearest_neighbor(net, size)
    return slim.conv2d(net, num_outputs, [4, 4], activation_fn=None)


def pix2pix_generator(
    net, num_outputs, blocks=None, upsample_method="nn_upsample_conv", is_training=False
):
    """Turns images into images of the same size.

    Each decoder also sees what the encoder of the same size saw (U-Net, arXiv:1505.04597).

    Args:
      net: Images [batch, height, width, channels], -1 to 1; every block halves the size.
      num_outputs: Number of channels of the result.
      blocks: List of `Block` from the outside in; None for the seven of the paper, for images
        of 256 x 256.
      upsample_method: The method of `upsample`.
      is_training: Makes no difference here: dropout is the only noise that the generator has, and
        stays on when it is used.

    Returns:
      Logits [batch, height, width, num_outputs]; and a dict from names of layers to outputs, of
      which "predictions" are the images, -1 to 1.

    Raises:
      errors.UserError: for another rank or an unknown method.
    """
    del is_training
    checks.images(net)
    blocks = blocks or _default_generator_blocks()
    height, width = net.shape.as_list()[1:3]
    shape = tf.shape(net)
    end_points = {}
    encoded = []
    with (
        tf.variable_scope("encoder"),
        slim.arg_scope([slim.conv2d], kernel_size=[4, 4], stride=2, activation_fn=tf.nn.leaky_relu),
    ):
        for i, block in enumerate(blocks):
            raw = {"normalizer_fn": None} if i in (0, len(blocks) - 1) else {}
            if 0 < i == len(blocks) - 1:
                raw["activation_fn"] = None
            net = end_points[f"encoder{i}"] = slim.conv2d(net, block.num_filters, **raw)
            encoded.append(net)

    with tf.variable_scope("decoder"):
        for i, block in enumerate(reversed(blocks)):
            if i > 0:
                net = tf.concat([net, encoded[-1 - i]], axis=3)
            net = upsample(tf.nn.relu(net), block.num_filters, [2, 2], upsample_method)
            if block.decoder_keep_prob > 0:
                net = slim.dropout(net, keep_prob=block.decoder_keep_prob, is_training=True)
            end_points[f"decoder{i}"] = net

    with tf.variable_scope("output"):
        logits = slim.conv2d(net, num_outputs, [4, 4], activation_fn=None, normalizer_fn=None)
        size = [shape[1] if height is None else height, shape[2] if width is None else width]
        logits = end_points["logits"] = tf.reshape(logits, [-1, *size, num_outputs])
        end_points["predictions"] = tf.tanh(logits)
    return logits, end_points


def pix2pix_discriminator(
    net,
    num_filters,
    padding=2,
    pad_mode="REFLECT",
    activation_fn=tf.nn.leaky_relu,
    is_training=False,
):
    """Tells real images from made ones, patch by patch.

    Args:
      net: Images [batch, height, width, channels].
      num_filters: Numbers of channels of the convolutions; all but the last halve the map.
      padding: Pixels to add on each side before each convolution.
      pad_mode: How `tf.pad` fills them.
      activation_fn: Activation after each convolution.
      is_training: Makes no difference here.

    Returns:
      Logits [batch, h, w, 1], large where a patch looks real; and a dict from names of layers to
      outputs, of which "predictions" are the probabilities.

    Raises:
      errors.UserError: for another rank.
    """
    del is_training
    checks.images(net)
    end_points = {}
    with slim.arg_scope(
        [slim.conv2d], kernel_size=[4, 4], stride=2, padding="VALID", activation_fn=activation_fn
    ):
        last = len(num_filters) - 1
        for i, depth in enumerate(num_filters):
            raw = {"normalizer_fn": None} if i == 0 else {}
            net = end_points[f"conv{i}"] = slim.conv2d(
                _padded(net, padding, pad_mode, f"conv{i}"),
                depth,
                stride=1 if i == last else 2,
                scope=f"conv{i}",
                **raw,
            )
        scope = f"conv{last + 1}"
        logits = end_points["logits"] = slim.conv2d(
            _padded(net, padding, pad_mode, scope),
            1,
            stride=1,
            activation_fn=None,
            normalizer_fn=None,
            scope=scope,
        )
        end_points["predictions"] = tf.nn.sigmoid(logits, name="predictions")
    return logits, end_points


def _padded(net, padding, pad_mode, scope):
    if not padding:
        return net
    sides = [padding, padding]
    with tf.name_scope(scope):
        return tf.pad(net, [[0, 0], sides, sides, [0, 0]], pad_mode)
