"""DCGAN, a generator and a discriminator of images: A. Radford et al., arXiv:1511.06434."""

from nets import checks
from slim_internal.ground import errors
from slim_internal.ground.compat import slim, tf


def discriminator(
    inputs, depth=64, is_training=True, reuse=None, scope="Discriminator", fused_batch_norm=False
):
    """Tells real images from made ones.

    Halves the image until one position is left, and doubles the number of channels each time.

    Args:
      inputs: Square images [batch, size, size, channels]; the size is a power of two.
      depth: Number of channels after the first convolution.
      is_training: Whether batch normalization uses the statistics of the batch.
      reuse: Whether to use the variables of an earlier call with the same scope.
      scope: Name of the variable scope.
      fused_batch_norm: Whether to use the faster fused implementation.

    Returns:
      Logits [batch, 1], large for real images; and a dict from names of layers to outputs.

    Raises:
      errors.UserError: for another rank, or a size that is not a power of two.
    """
    checks.images(inputs)
    height, width = inputs.shape.as_list()[1:3]
    if height != width:
        raise errors.UserError(f"Images have to be square; received {height}x{width} pixels.")
    end_points = {}
    with (
        tf.variable_scope(scope, values=[inputs], reuse=reuse),
        slim.arg_scope([slim.batch_norm], **_batch_norm(is_training, fused_batch_norm)),
        slim.arg_scope([slim.conv2d], stride=2, kernel_size=4, activation_fn=tf.nn.leaky_relu),
    ):
        net = inputs
        for i in range(_log2("the size of the images", height)):
            net = end_points[f"conv{i + 1}"] = slim.conv2d(
                net,
                depth * 2**i,
                normalizer_fn=slim.batch_norm if i else None,
                scope=f"conv{i + 1}",
            )
        logits = slim.conv2d(
            net, 1, kernel_size=1, stride=1, padding="VALID", normalizer_fn=None, activation_fn=None
        )
        logits = end_points["logits"] = tf.reshape(logits, [-1, 1])
    return logits, end_points


def generator(
    inputs,
    depth=64,
    final_size=32,
    num_outputs=3,
    is_training=True,
    reuse=None,
    scope="Generator",
    fused_batch_norm=False,
):
    """Makes images of noise.

    Begins with 4 x 4 positions, and doubles the size and halves the number of channels each time.

    Args:
      inputs: Noise [batch, length].
      depth: Number of channels of the last transposed convolution.
      final_size: Height and width of the images in pixels, a power of two from 8 on.
      num_outputs: Number of channels of the images.
      is_training: Whether batch normalization uses the statistics of the batch.
      reuse: Whether to use the variables of an earlier call with the same scope.
      scope: Name of the variable scope.
      fused_batch_norm: Whether to use the faster fused implementation.

    Returns:
      Images [batch, final_size, final_size, num_outputs] before any last activation; and a dict
      from names of layers to outputs.

    Raises:
      errors.UserError: for inputs that are not of rank 2, or another size of images.
    """
    if inputs.shape.rank != 2:
        raise errors.UserError(
            f"Noise has to be of rank 2, [batch, length]; received shape {inputs.shape}."
        )
    num_layers = _log2("final_size", final_size) - 1
    if num_layers < 2:
        raise errors.UserError(f"final_size has to be at least 8; received {final_size}.")
    end_points = {}
    with (
        tf.variable_scope(scope, values=[inputs], reuse=reuse),
        slim.arg_scope([slim.batch_norm], **_batch_norm(is_training, fused_batch_norm)),
        slim.arg_scope(
            [slim.conv2d_transpose], normalizer_fn=slim.batch_norm, stride=2, kernel_size=4
        ),
    ):
        net = inputs[:, tf.newaxis, tf.newaxis, :]
        for i in range(1, num_layers + 1):
            first = {"stride": 1, "padding": "VALID"} if i == 1 else {}
            last = {"normalizer_fn": None, "activation_fn": None} if i == num_layers else {}
            net = end_points[f"deconv{i}"] = slim.conv2d_transpose(
                net, depth * 2 ** (num_layers - i), scope=f"deconv{i}", **first, **last
            )
        logits = end_points["logits"] = slim.conv2d(
            net, num_outputs, kernel_size=1, normalizer_fn=None, activation_fn=None, scope="logits"
        )
    logits.shape.assert_is_compatible_with([None, final_size, final_size, num_outputs])
    return logits, end_points


def _batch_norm(is_training, fused):
    return {"is_training": is_training, "zero_debias_moving_mean": True, "fused": fused}


def _log2(what, size):
    """Returns the logarithm of a power of two."""
    if size is None or size < 1 or size & (size - 1):
        raise errors.UserError(f"{what} has to be a power of two; received {size}.")
    return size.bit_length() - 1
