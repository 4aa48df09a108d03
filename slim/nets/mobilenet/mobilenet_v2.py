"""MobileNet v2: inverted residuals with linear bottlenecks (arXiv:1801.04381)."""

from nets.mobilenet import mobilenet as lib
from nets.mobilenet.common import wrapped_partial
from nets.mobilenet.conv_blocks import expand_input_by_factor as expand_input
from nets.mobilenet.conv_blocks import expanded_conv
from nets.mobilenet.mobilenet import op
from nets.network import Checkpoint, Network
from slim_internal.ground.compat import slim, tf

__all__ = ["V2_DEF", "mobilenet", "mobilenet_base", "training_scope"]

_SPEC = [  # output size for images of 224 x 224
    op(slim.conv2d, stride=2, num_outputs=32, kernel_size=[3, 3]),  # 112 x 112
    op(expanded_conv, num_outputs=16, expansion_size=expand_input(1, divisible_by=1)),
    op(expanded_conv, stride=2, num_outputs=24),  # 56 x 56
    op(expanded_conv, stride=1, num_outputs=24),
    op(expanded_conv, stride=2, num_outputs=32),  # 28 x 28
    op(expanded_conv, stride=1, num_outputs=32),
    op(expanded_conv, stride=1, num_outputs=32),
    op(expanded_conv, stride=2, num_outputs=64),  # 14 x 14
    op(expanded_conv, stride=1, num_outputs=64),
    op(expanded_conv, stride=1, num_outputs=64),
    op(expanded_conv, stride=1, num_outputs=64),
    op(expanded_conv, stride=1, num_outputs=96),
    op(expanded_conv, stride=1, num_outputs=96),
    op(expanded_conv, stride=1, num_outputs=96),
    op(expanded_conv, stride=2, num_outputs=160),  # 7 x 7
    op(expanded_conv, stride=1, num_outputs=160),
    op(expanded_conv, stride=1, num_outputs=160),
    op(expanded_conv, stride=1, num_outputs=320),
    op(slim.conv2d, stride=1, num_outputs=1280, kernel_size=[1, 1]),
]


def _defaults(normalizer_fn):
    return {
        lib.CONVOLUTIONS: {"normalizer_fn": normalizer_fn, "activation_fn": tf.nn.relu6},
        (expanded_conv,): {
            "expansion_size": expand_input(6),
            "split_expansion": 1,
            "normalizer_fn": normalizer_fn,
            "residual": True,
        },
        (slim.conv2d, slim.separable_conv2d): {"padding": "SAME"},
    }


V2_DEF = {
    "defaults": {
        (slim.batch_norm,): {"center": True, "scale": True},
        **_defaults(slim.batch_norm),
    },
    "spec": _SPEC,
}

V2_DEF_GROUP_NORM = {"defaults": _defaults(slim.group_norm), "spec": _SPEC}


@slim.add_arg_scope
def mobilenet(
    input_tensor,
    num_classes=1001,
    depth_multiplier=1.0,
    scope="MobilenetV2",
    conv_defs=None,
    finegrain_classification_mode=False,
    min_depth=None,
    divisible_by=None,
    activation_fn=None,
    **kwargs,
):
    """Builds MobileNet v2.

    Args:
      input_tensor: Images `[batch, height, width, channels]`; the published weights expect values
        in -1..1.
      num_classes: Number of classes; 0 or None leaves the classifier out.
      depth_multiplier: Factor on the channels of every layer, greater than 0.
      scope: Scope of the variables.
      conv_defs: The table of layers; None means `V2_DEF`.
      finegrain_classification_mode: Whether the last layer keeps its 1280 channels where the
        multiplier is less than 1.
      min_depth: Fewest channels of a layer; None leaves the usual 8.
      divisible_by: What the channels of a layer are a multiple of; None leaves the usual 8.
      activation_fn: Activation of the convolutions; None means that of the table.
      **kwargs: Further arguments of `nets.mobilenet.mobilenet.mobilenet` and `mobilenet_base`.

    Returns:
      The logits (or features, see `nets.mobilenet.mobilenet.mobilenet`), and a dict of end
      points.

    Raises:
      errors.UserError: for arguments or images that the network has no use for.
    """
    conv_defs = V2_DEF if conv_defs is None else conv_defs
    if finegrain_classification_mode and depth_multiplier < 1:
        conv_defs = lib.with_full_last_layer(conv_defs)
    if activation_fn:
        conv_defs = lib.with_defaults(conv_defs, lib.CONVOLUTIONS, activation_fn=activation_fn)
    with lib.safe_arg_scope([lib.depth_multiplier], min_depth=min_depth, divisible_by=divisible_by):
        return lib.mobilenet(
            input_tensor,
            num_classes=num_classes,
            conv_defs=conv_defs,
            scope=scope,
            multiplier=depth_multiplier,
            **kwargs,
        )


mobilenet.default_image_size = 224

mobilenet_v2_140 = wrapped_partial(mobilenet, depth_multiplier=1.4)
mobilenet_v2_050 = wrapped_partial(
    mobilenet, depth_multiplier=0.50, finegrain_classification_mode=True
)
mobilenet_v2_035 = wrapped_partial(
    mobilenet, depth_multiplier=0.35, finegrain_classification_mode=True
)


@slim.add_arg_scope
def mobilenet_base(input_tensor, depth_multiplier=1.0, **kwargs):
    """Builds the feature extractor: `mobilenet` up to the last feature map."""
    return mobilenet(input_tensor, depth_multiplier=depth_multiplier, base_only=True, **kwargs)


@slim.add_arg_scope
def mobilenet_base_group_norm(input_tensor, depth_multiplier=1.0, **kwargs):
    """Builds the feature extractor with group norm; `groups` is the number of groups, 8 usually."""
    groups = kwargs.pop("groups", 8)
    return mobilenet_base(
        input_tensor,
        depth_multiplier=depth_multiplier,
        conv_defs=lib.with_defaults(V2_DEF_GROUP_NORM, (slim.group_norm,), groups=groups),
        **kwargs,
    )


def training_scope(**kwargs):
    """Returns the arg scope of training; see `nets.mobilenet.mobilenet.training_scope`."""
    return lib.training_scope(**kwargs)


_URL = "https://storage.googleapis.com/mobilenet_v2/checkpoints/mobilenet_v2_{}_{}.tgz"

# Width multiplier -> image size -> top-1 and top-5.
_ACCURACIES = {
    1.0: {
        224: (71.8, 91.0),
        192: (70.7, 90.1),
        160: (68.8, 89.0),
        128: (65.3, 86.9),
        96: (60.3, 83.2),
    },
    1.4: {224: (75.0, 92.5)},
    1.3: {224: (74.4, 92.1)},
    0.75: {
        224: (69.8, 89.6),
        192: (68.7, 88.9),
        160: (66.4, 87.3),
        128: (63.2, 85.3),
        96: (58.8, 81.6),
    },
    0.5: {
        224: (65.4, 86.4),
        192: (63.9, 85.4),
        160: (61.0, 83.2),
        128: (57.7, 80.8),
        96: (51.2, 75.8),
    },
    0.35: {
        224: (60.3, 82.9),
        192: (58.2, 81.2),
        160: (55.7, 79.1),
        128: (50.8, 75.0),
        96: (45.5, 70.4),
    },
}


def _checkpoints(*multipliers: float):
    """Returns the published weights of some widths."""
    return tuple(
        Checkpoint(
            url=_URL.format(multiplier, size),
            image_size=size,
            num_classes=1001,
            top1=top1,
            top5=top5,
            depth_multiplier=multiplier,
            finegrain_classification_mode=multiplier < 1,
        )
        for multiplier in multipliers
        for size, (top1, top5) in _ACCURACIES[multiplier].items()
    )


NETWORKS = tuple(
    Network(
        name=name,
        builder=builder,
        arg_scope=training_scope,
        preprocessing="inception",
        paper="arXiv:1801.04381",
        classifier_scopes=("MobilenetV2/Logits",),
        first_conv="MobilenetV2/Conv/weights",
        min_image_size=1,
        checkpoints=_checkpoints(*multipliers),
    )
    for name, builder, multipliers in (
        # The widths that have no network of their own are built with depth_multiplier.
        ("mobilenet_v2", mobilenet, (1.0, 1.3, 0.75, 0.5)),
        ("mobilenet_v2_140", mobilenet_v2_140, (1.4,)),
        ("mobilenet_v2_035", mobilenet_v2_035, (0.35,)),
    )
)
