"""S3D-G: Inception v1 for clips with kernels split into space and time, and gated channels.

S. Xie, C. Sun, J. Huang, Z. Tu, K. Murphy: Rethinking spatiotemporal feature learning:
speed-accuracy trade-offs in video classification, arXiv:1712.04851.
"""

from nets import checks, i3d_utils
from nets import inception_modules as modules
from nets.end_points import build, layer
from nets.i3d_utils import conv3d_spatiotemporal
from nets.inception_v1 import WIDTHS
from nets.initializers import trunc_normal
from nets.network import Network
from slim_internal.ground.compat import slim, tf

# The layers that can look at several frames or be gated, from first to last.
_STARTS = ("Conv2d_2c_3x3", *WIDTHS)


def s3dg_arg_scope(weight_decay=1e-7, batch_norm_decay=0.999, batch_norm_epsilon=0.001):
    """Returns the arg scope of S3D-G.

    Args:
      weight_decay: Factor of the l2 penalty on all weights.
      batch_norm_decay: Fraction of the moving averages that one step keeps.
      batch_norm_epsilon: What is added to the variance before dividing by its root.
    """
    return i3d_utils.clip_arg_scope(
        weight_decay, batch_norm_decay, batch_norm_epsilon, separable=True
    )


def self_gating(input_tensor, scope, data_format="NDHWC"):
    """Weighs each channel by what all channels show on average over the clip.

    Args:
      input_tensor: Feature map [batch, frames, height, width, channels].
      scope: Name of the variable scope.
      data_format: "NDHWC" or "NCDHW".

    Returns:
      A feature map of the same shape.
    """
    channels = data_format.index("C")
    with tf.variable_scope(scope):
        mean = tf.reduce_mean(input_tensor, [data_format.index(c) for c in "DHW"], keepdims=True)
        weights = slim.conv3d(
            mean,
            input_tensor.shape.as_list()[channels],
            1,
            activation_fn=tf.nn.sigmoid,
            normalizer_fn=None,
            biases_initializer=None,
            data_format=data_format,
            scope="self_gating/transformer_W",
        )
        return weights * input_tensor


def _layers(first_temporal_kernel_size, temporal_conv_startat, gating_startat, depth, data_format):
    def reached(name, start):
        return start is not None and _STARTS.index(name) >= _STARTS.index(start)

    return i3d_utils.clip_layers(
        first_conv=layer(
            "Conv2d_1a_7x7",
            conv3d_spatiotemporal,
            depth(64),
            [first_temporal_kernel_size, 7, 7],
            stride=2,
            separable=False,
            data_format=data_format,
        ),
        temporal_kernel=lambda name: 3 if reached(name, temporal_conv_startat) else 1,
        self_gating=lambda name: self_gating if reached(name, gating_startat) else None,
        depth=depth,
        data_format=data_format,
    )


def s3dg_base(
    inputs,
    first_temporal_kernel_size=3,
    temporal_conv_startat="Conv2d_2c_3x3",
    gating_startat="Conv2d_2c_3x3",
    final_endpoint="Mixed_5c",
    min_depth=16,
    depth_multiplier=1.0,
    data_format="NDHWC",
    scope="InceptionV1",
):
    """Builds S3D-G up to a layer of choice, without a classifier.

    Args:
      inputs: Clips [batch, frames, height, width, channels], for "NCDHW" [batch, channels, frames,
        height, width].
      first_temporal_kernel_size: Frames that the first convolution looks at: 1, 3, 5 or 7.
      temporal_conv_startat: First layer that looks at several frames, "Conv2d_2c_3x3" or a module;
        those before it are flat in time. None keeps all of them flat.
      gating_startat: First layer whose channels are gated, "Conv2d_2c_3x3" or a module. None gates
        none.
      final_endpoint: Name of the last layer to build, one of those in `i3d_utils.clip_layers`.
      min_depth: Minimum number of channels of any convolution.
      depth_multiplier: Factor for the number of channels of all convolutions.
      data_format: Order of the axes of all feature maps, "NDHWC" or "NCDHW".
      scope: Name of the variable scope.

    Returns:
      The output of the last layer, and a dict from the names of all layers to their outputs.

    Raises:
      errors.UserError: for an unknown layer or data format, another temporal kernel, a multiplier
        that is not positive, or clips of another rank.
    """
    checks.choice("first_temporal_kernel_size", first_temporal_kernel_size, (1, 3, 5, 7))
    checks.choice("temporal_conv_startat", temporal_conv_startat, (*_STARTS, None))
    checks.choice("gating_startat", gating_startat, (*_STARTS, None))
    checks.choice("data_format", data_format, ("NDHWC", "NCDHW"))
    checks.clips(inputs)
    layers = _layers(
        first_temporal_kernel_size,
        temporal_conv_startat,
        gating_startat,
        modules.widths(depth_multiplier, min_depth),
        data_format,
    )
    with (
        tf.variable_scope(scope, "InceptionV1", [inputs]),
        slim.arg_scope([slim.conv3d], weights_initializer=trunc_normal(0.01)),
        # Batch normalization asks only whether the channels come first.
        slim.arg_scope([slim.batch_norm], data_format=data_format.replace("D", "")),
    ):
        return build(inputs, layers, final_endpoint)


def s3dg(
    inputs,
    num_classes=1000,
    first_temporal_kernel_size=3,
    temporal_conv_startat="Conv2d_2c_3x3",
    gating_startat="Conv2d_2c_3x3",
    final_endpoint="Mixed_5c",
    min_depth=16,
    depth_multiplier=1.0,
    dropout_keep_prob=0.8,
    is_training=True,
    prediction_fn=slim.softmax,
    spatial_squeeze=True,
    reuse=None,
    data_format="NDHWC",
    scope="InceptionV1",
):
    """Builds S3D-G.

    Args:
      inputs: Clips [batch, frames, height, width, channels], 64 x 224 x 224 x 3 in the paper; for
        "NCDHW" [batch, channels, frames, height, width].
      num_classes: Number of classes; None or 0 leaves the classifier out.
      first_temporal_kernel_size: Frames that the first convolution looks at: 1, 3, 5 or 7.
      temporal_conv_startat: First layer that looks at several frames, see `s3dg_base`.
      gating_startat: First layer whose channels are gated, see `s3dg_base`.
      final_endpoint: Name of the layer that the classifier reads.
      min_depth: Minimum number of channels of any convolution.
      depth_multiplier: Factor for the number of channels of all convolutions.
      dropout_keep_prob: Fraction of activations that dropout keeps.
      is_training: Whether batch normalization and dropout behave as in training.
      prediction_fn: Turns logits into predictions.
      spatial_squeeze: Whether to give one prediction for each input, the mean of all positions,
        instead of keeping the axes of height and width.
      reuse: Whether to reuse the variables of an earlier call; needs `scope`.
      data_format: Order of the axes of all feature maps, "NDHWC" or "NCDHW".
      scope: Name of the variable scope.

    Returns:
      Logits [batch, num_classes], or the pooled features [batch, frames, h, w, channels] without a
      classifier; and a dict from the names of the layers to their outputs.

    Raises:
      errors.UserError: as for `s3dg_base`.
    """
    with (
        tf.variable_scope(scope, "InceptionV1", [inputs], reuse=reuse) as scope,
        slim.arg_scope([slim.batch_norm, slim.dropout], is_training=is_training),
    ):
        net, end_points = s3dg_base(
            inputs,
            first_temporal_kernel_size=first_temporal_kernel_size,
            temporal_conv_startat=temporal_conv_startat,
            gating_startat=gating_startat,
            final_endpoint=final_endpoint,
            min_depth=min_depth,
            depth_multiplier=depth_multiplier,
            data_format=data_format,
            scope=scope,
        )
        if data_format == "NCDHW":
            net = tf.transpose(net, [0, 2, 3, 4, 1])  # The classifier is the same for both.
        logits = i3d_utils.clip_classifier(
            net,
            end_points,
            num_classes,
            dropout_keep_prob=dropout_keep_prob,
            prediction_fn=prediction_fn,
            spatial_squeeze=spatial_squeeze,
        )
    return logits, end_points


s3dg.default_image_size = 224


NETWORKS = (
    Network(
        name="s3dg",
        builder=s3dg,
        arg_scope=s3dg_arg_scope,
        preprocessing="inception",
        paper="arXiv:1712.04851",
        classifier_scopes=("InceptionV1/Logits",),
        first_conv="InceptionV1/Conv2d_1a_7x7/weights",
        min_image_size=1,  # All layers pad, and the window of the classifier shrinks.
        num_classes=400,
        num_frames=64,
    ),
)
