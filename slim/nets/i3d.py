"""I3D: Inception v1 with each square kernel inflated into a cube.

J. Carreira, A. Zisserman: Quo vadis, action recognition? A new model and the Kinetics dataset,
arXiv:1705.07750.
"""

from nets import checks, i3d_utils
from nets.end_points import build, layer
from nets.i3d_utils import conv3d_spatiotemporal
from nets.initializers import trunc_normal
from nets.network import Network
from slim_internal.ground.compat import slim, tf

_LAYERS = i3d_utils.clip_layers(
    # Never split: that would be slow on a map of this size.
    first_conv=layer(
        "Conv2d_1a_7x7", conv3d_spatiotemporal, 64, [7, 7, 7], stride=2, separable=False
    ),
    temporal_kernel=lambda name: 3,
    self_gating=lambda name: None,
    depth=lambda depth: depth,
)


def i3d_arg_scope(
    weight_decay=1e-7,
    batch_norm_decay=0.999,
    batch_norm_epsilon=0.001,
    use_renorm=False,
    separable_conv3d=False,
):
    """Returns the arg scope of I3D.

    Args:
      weight_decay: Factor of the l2 penalty on all weights.
      batch_norm_decay: Fraction of the moving averages that one step keeps.
      batch_norm_epsilon: What is added to the variance before dividing by its root.
      use_renorm: Whether batch normalization is corrected towards the moving averages.
      separable_conv3d: Whether convolutions over time and space, all but the first, are split into
        two steps.
    """
    return i3d_utils.clip_arg_scope(
        weight_decay,
        batch_norm_decay,
        batch_norm_epsilon,
        separable=separable_conv3d,
        use_renorm=use_renorm,
    )


def i3d_base(inputs, final_endpoint="Mixed_5c", scope="InceptionV1"):
    """Builds I3D up to a layer of choice, without a classifier.

    Args:
      inputs: Clips [batch, frames, height, width, channels].
      final_endpoint: Name of the last layer to build, one of those in `i3d_utils.clip_layers`.
      scope: Name of the variable scope.

    Returns:
      The output of the last layer, and a dict from the names of all layers to their outputs.

    Raises:
      errors.UserError: for an unknown layer or clips of another rank.
    """
    checks.clips(inputs)
    with (
        tf.variable_scope(scope, "InceptionV1", [inputs]),
        slim.arg_scope([slim.conv3d], weights_initializer=trunc_normal(0.01)),
    ):
        return build(inputs, _LAYERS, final_endpoint)


def i3d(
    inputs,
    num_classes=1000,
    dropout_keep_prob=0.8,
    is_training=True,
    prediction_fn=slim.softmax,
    spatial_squeeze=True,
    reuse=None,
    scope="InceptionV1",
):
    """Builds I3D.

    Args:
      inputs: Clips [batch, frames, height, width, channels], 64 x 224 x 224 x 3 in the paper.
      num_classes: Number of classes; None or 0 leaves the classifier out.
      dropout_keep_prob: Fraction of activations that dropout keeps.
      is_training: Whether batch normalization and dropout behave as in training.
      prediction_fn: Turns logits into predictions.
      spatial_squeeze: Whether to give one prediction for each input, the mean of all positions,
        instead of keeping the axes of height and width.
      reuse: Whether to reuse the variables of an earlier call; needs `scope`.
      scope: Name of the variable scope.

    Returns:
      Logits [batch, num_classes], or the pooled features [batch, frames, h, w, 1024] without a
      classifier; and a dict from the names of the layers to their outputs.

    Raises:
      errors.UserError: for clips of another rank.
    """
    with (
        tf.variable_scope(scope, "InceptionV1", [inputs], reuse=reuse) as scope,
        slim.arg_scope([slim.batch_norm, slim.dropout], is_training=is_training),
    ):
        net, end_points = i3d_base(inputs, scope=scope)
        logits = i3d_utils.clip_classifier(
            net,
            end_points,
            num_classes,
            dropout_keep_prob=dropout_keep_prob,
            prediction_fn=prediction_fn,
            spatial_squeeze=spatial_squeeze,
        )
    return logits, end_points


i3d.default_image_size = 224


NETWORKS = (
    Network(
        name="i3d",
        builder=i3d,
        arg_scope=i3d_arg_scope,
        preprocessing="inception",
        paper="arXiv:1705.07750",
        classifier_scopes=("InceptionV1/Logits",),
        first_conv="InceptionV1/Conv2d_1a_7x7/weights",
        min_image_size=1,  # All layers pad, and the window of the classifier shrinks.
        num_classes=400,
        num_frames=64,
    ),
)
