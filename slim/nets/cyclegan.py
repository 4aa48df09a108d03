"""CycleGAN's generator, which turns images of one kind into another: J.-Y. Zhu et al.

arXiv:1703.10593; the generator with residual blocks is that of J. Johnson et al.,
arXiv:1603.08155.
"""

from nets import checks
from slim_internal.ground import errors
from slim_internal.ground.compat import slim, tf

_RESIZE = {
    "nn_upsample_conv": tf.image.resize_nearest_neighbor,
    "bilinear_upsample_conv": tf.image.resize_bilinear,
}


def cyclegan_arg_scope(
    instance_norm_center=True,
    instance_norm_scale=True,
    instance_norm_epsilon=0.001,
    weights_init_stddev=0.02,
    weight_decay=0.0,
):
    """Returns the arg scope of CycleGAN.

    Args:
      instance_norm_center: Whether instance normalization has a beta.
      instance_norm_scale: Whether instance normalization has a gamma.
      instance_norm_epsilon: What instance normalization adds to the variance.
      weights_init_stddev: Standard deviation of the initial weights.
      weight_decay: Factor of the l2 penalty on the weights.
    """
    with slim.arg_scope(
        [slim.conv2d],
        normalizer_fn=slim.instance_norm,
        normalizer_params={
            "center": instance_norm_center,
            "scale": instance_norm_scale,
            "epsilon": instance_norm_epsilon,
        },
        weights_initializer=tf.random_normal_initializer(0, weights_init_stddev),
        weights_regularizer=slim.l2_regularizer(weight_decay) if weight_decay else None,
    ) as scope:
        return scope


def cyclegan_upsample(
    net, num_outputs, stride, method="conv2d_transpose", pad_mode="REFLECT", align_corners=False
):
    """Enlarges a map.

    Args:
      net: Tensor [batch, h, w, channels].
      num_outputs: Number of channels of the result.
      stride: Factors of height and width.
      method: "nn_upsample_conv" or "bilinear_upsample_conv" to enlarge, then convolve;
        "conv2d_transpose" to do both in one.
      pad_mode: How `tf.pad` fills the border before the convolution of the first two methods.
      align_corners: Whether enlarging keeps the values of the corners.

    Returns:
      A tensor [batch, h * stride[0], w * stride[1], num_outputs].

    Raises:
      errors.UserError: for an unknown method.
    """
    checks.choice("method", method, [*_RESIZE, "conv2d_transpose"])
    with tf.variable_scope("upconv"):
        shape = tf.shape(net)
        size = [shape[1] * stride[0], shape[2] * stride[1]]
        if method == "conv2d_transpose":
            net = slim.conv2d_transpose(
                net, num_outputs, kernel_size=[3, 3], stride=stride, padding="VALID"
            )
            # The map overlaps the wanted one by a row above and a column on the left.
            return net[:, 1:, 1:, :]
        net = _RESIZE[method](net, size, align_corners=align_corners)
        net = tf.pad(net, _border(3), pad_mode)
        return slim.conv2d(net, num_outputs, kernel_size=[3, 3], padding="VALID")


def cyclegan_generator_resnet(
    images,
    arg_scope_fn=cyclegan_arg_scope,
    num_resnet_blocks=6,
    num_filters=64,
    upsample_fn=cyclegan_upsample,
    kernel_size=3,
    tanh_linear_slope=0.0,
    is_training=False,
):
    """Turns images into images of the same size.

    Args:
      images: Tensor [batch, height, width, channels], -1 to 1; height and width are multiples of
        four.
      arg_scope_fn: Function that returns the arg scope to build under.
      num_resnet_blocks: Number of residual blocks in the middle.
      num_filters: Number of channels of the outermost layers.
      upsample_fn: Function of (net, num_outputs, stride) that enlarges a map; its convolutions
        take `kernel_size` and ReLU unless it says otherwise.
      kernel_size: Height and width of all kernels but the outermost.
      tanh_linear_slope: Fraction of the logits to add to their tanh, so that gradients do not
        vanish.
      is_training: Makes no difference here.

    Returns:
      Images [batch, height, width, channels], -1 to 1 if `tanh_linear_slope` is 0; and a dict
      from names of layers to outputs.

    Raises:
      errors.UserError: for another rank or size.
    """
    del is_training
    checks.images(images)
    _require_multiples_of_4(images)
    end_points = {}
    # What `upsample_fn` may leave to the network.
    inner = {"kernel_size": kernel_size, "stride": 1, "activation_fn": tf.nn.relu}
    with slim.arg_scope(arg_scope_fn()):
        with tf.variable_scope("input"):
            net = end_points["encoder_0"] = _reflected_conv(images, num_filters, 7)
        with tf.variable_scope("encoder"):
            for i in (1, 2):
                net = end_points[f"encoder_{i}"] = _reflected_conv(
                    net, num_filters * 2**i, kernel_size, stride=2, activation_fn=tf.nn.relu
                )
        with tf.variable_scope("residual_blocks"):
            for i in range(num_resnet_blocks):
                with tf.variable_scope(f"block_{i}"):
                    residual = _reflected_conv(
                        net, num_filters * 4, kernel_size, activation_fn=tf.nn.relu
                    )
                    net += _reflected_conv(
                        residual, num_filters * 4, kernel_size, activation_fn=None
                    )
                end_points[f"resnet_block_{i}"] = net
        with tf.variable_scope("decoder"), slim.arg_scope([slim.conv2d], **inner):
            for i in (1, 2):
                with tf.variable_scope(f"decoder{i}"):
                    net = upsample_fn(net, num_outputs=num_filters * 4 // 2**i, stride=[2, 2])
                end_points[f"decoder{i}"] = net
        with tf.variable_scope("output"):
            logits = end_points["logits"] = _reflected_conv(
                net, images.shape[-1], 7, activation_fn=None, normalizer_fn=None
            )
            end_points["predictions"] = tf.tanh(logits) + logits * tanh_linear_slope
    return end_points["predictions"], end_points


def _require_multiples_of_4(images):
    height, width = images.shape.as_list()[1:3]
    if any(side is not None and side % 4 for side in (height, width)):
        raise errors.UserError(
            f"Height and width have to be multiples of 4; received {height}x{width} pixels."
        )


def _border(kernel_size):
    """Returns paddings by which an unpadded convolution keeps the size of a map."""
    sides = [(kernel_size - 1) // 2, kernel_size // 2]
    return [[0, 0], sides, sides, [0, 0]]


def _reflected_conv(net, num_outputs, kernel_size, stride=1, **kwargs):
    net = tf.pad(net, _border(kernel_size), "REFLECT")
    return slim.conv2d(
        net, num_outputs, [kernel_size] * 2, stride=stride, padding="VALID", **kwargs
    )
