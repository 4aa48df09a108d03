"""MobileNet v3 and MobileNet-EdgeTPU (arXiv:1905.02244, arXiv:2003.02838)."""

import functools

from nets.mobilenet import common, conv_blocks
from nets.mobilenet import mobilenet as lib
from nets.mobilenet.conv_blocks import expand_input_by_factor as expand_input
from nets.mobilenet.conv_blocks import expanded_conv
from nets.mobilenet.mobilenet import op, training_scope
from nets.network import Checkpoint, Network
from slim_internal.ground import errors
from slim_internal.ground.compat import slim, tf

__all__ = [
    "V3_LARGE",
    "V3_LARGE_DETECTION",
    "V3_SMALL",
    "V3_SMALL_DETECTION",
    "large",
    "mobilenet",
    "small",
    "training_scope",
]


def hard_swish(x):
    """Returns x * relu6(x + 3) / 6, a cheap stand-in for x * sigmoid(x)."""
    with tf.name_scope("hard_swish"):
        return x * tf.nn.relu6(x + 3.0) * (1.0 / 6.0)


squeeze_excite = functools.partial(
    conv_blocks.squeeze_excite,
    squeeze_factor=4,
    inner_activation_fn=tf.nn.relu,
    # The published weights were trained with a sixth of this precision.
    gating_fn=lambda x: tf.nn.relu6(x + 3.0) * 0.16667,
)


def mbv3_op(ef, n, k, s=1, act=tf.nn.relu, se=None, **kwargs):
    """Returns a row of a table: the inverted residual of MobileNet v3.

    Args:
      ef: Factor of expansion.
      n: Channels of the result.
      k: Side of the depthwise kernel.
      s: Its stride.
      act: Activation of expansion and depthwise convolution.
      se: Squeeze and excite as a function of (expansion_tensor, input_tensor), or None.
      **kwargs: Further arguments of `expanded_conv`.
    """
    return op(
        expanded_conv,
        expansion_size=expand_input(ef),
        kernel_size=(k, k),
        stride=s,
        num_outputs=n,
        inner_activation_fn=act,
        expansion_transform=se,
        **kwargs,
    )


def mbv3_fused(ef, n, k, s=1, **kwargs):
    """Returns a row of a table: one dense convolution expands and filters, a 1x1 one projects.

    Accelerators run it faster than a depthwise convolution, though it computes more.

    Args:
      ef: Factor of expansion.
      n: Channels of the result.
      k: Side of the dense kernel.
      s: Its stride.
      **kwargs: Further arguments of `mbv3_op`.
    """
    return mbv3_op(
        ef,
        n,
        k=1,
        s=s,
        depthwise_location=None,
        expansion_fn=functools.partial(slim.conv2d, kernel_size=k, stride=s),
        **kwargs,
    )


mbv3_op_se = functools.partial(
    mbv3_op, se=lambda expansion_tensor, input_tensor: squeeze_excite(expansion_tensor)
)


def reduce_to_1x1(input_tensor, default_size=7, **kwargs):
    """Averages a square feature map to 1 x 1, any other over windows of `default_size`.

    Args:
      input_tensor: Feature map `[batch, h, w, c]`.
      default_size: Side of the window where h and w differ or are unknown.
      **kwargs: Further arguments of `slim.avg_pool2d`.

    Raises:
      errors.UserError: if the map is neither square nor as large as the window.
    """
    height, width = input_tensor.shape.as_list()[1:3]
    if height is not None and height == width:
        return slim.avg_pool2d(input_tensor, [height, width], **kwargs)
    if any(side is not None and side < default_size for side in (height, width)):
        raise errors.UserError(
            f"Images that are not square have to give a feature map of at least "
            f"{default_size}x{default_size} here; it is {height}x{width}. Use larger or square "
            f"images."
        )
    return slim.avg_pool2d(input_tensor, [default_size, default_size], **kwargs)


def _defaults(normalizer_fn):
    return {
        lib.CONVOLUTIONS: {"normalizer_fn": normalizer_fn, "activation_fn": tf.nn.relu},
        (expanded_conv,): {"normalizer_fn": normalizer_fn, "residual": True},
    }


DEFAULTS = {(slim.batch_norm,): {"center": True, "scale": True}, **_defaults(slim.batch_norm)}

DEFAULTS_GROUP_NORM = _defaults(slim.group_norm)


def _conv(n, k, s=1, **kwargs):
    return op(slim.conv2d, num_outputs=n, kernel_size=[k, k], stride=s, **kwargs)


def _head(features, last):
    """Returns the rows after the blocks: features, their average, and the last layer."""
    return [
        _conv(n=features, k=1, activation_fn=hard_swish),
        op(reduce_to_1x1, default_size=7, stride=1, padding="VALID"),
        _conv(n=last, k=1, normalizer_fn=None, activation_fn=hard_swish),
    ]


def _large(last_stage=160):
    """Returns the table of the large network; detectors do with half the last stage."""
    spec = [  # output size for images of 224 x 224
        _conv(n=16, k=3, s=2, activation_fn=hard_swish),  # 112 x 112
        mbv3_op(ef=1, n=16, k=3),
        mbv3_op(ef=4, n=24, k=3, s=2),  # 56 x 56
        mbv3_op(ef=3, n=24, k=3),
        mbv3_op_se(ef=3, n=40, k=5, s=2),  # 28 x 28
        mbv3_op_se(ef=3, n=40, k=5),
        mbv3_op_se(ef=3, n=40, k=5),
        mbv3_op(ef=6, n=80, k=3, s=2, act=hard_swish),  # 14 x 14
        mbv3_op(ef=2.5, n=80, k=3, act=hard_swish),
        mbv3_op(ef=184 / 80, n=80, k=3, act=hard_swish),
        mbv3_op(ef=184 / 80, n=80, k=3, act=hard_swish),
        mbv3_op_se(ef=6, n=112, k=3, act=hard_swish),
        mbv3_op_se(ef=6, n=112, k=3, act=hard_swish),
        mbv3_op_se(ef=6, n=last_stage, k=5, s=2, act=hard_swish),  # 7 x 7
        mbv3_op_se(ef=6, n=last_stage, k=5, act=hard_swish),
        mbv3_op_se(ef=6, n=last_stage, k=5, act=hard_swish),
        *_head(features=6 * last_stage, last=1280),
    ]
    return {"defaults": DEFAULTS, "spec": spec}


def _small(last_stage=96):
    """Returns the table of the small network; detectors do with half the last stage."""
    spec = [  # output size for images of 224 x 224
        _conv(n=16, k=3, s=2, activation_fn=hard_swish),  # 112 x 112
        mbv3_op_se(ef=1, n=16, k=3, s=2),  # 56 x 56
        mbv3_op(ef=72 / 16, n=24, k=3, s=2),  # 28 x 28
        mbv3_op(ef=88 / 24, n=24, k=3),
        mbv3_op_se(ef=4, n=40, k=5, s=2, act=hard_swish),  # 14 x 14
        mbv3_op_se(ef=6, n=40, k=5, act=hard_swish),
        mbv3_op_se(ef=6, n=40, k=5, act=hard_swish),
        mbv3_op_se(ef=3, n=48, k=5, act=hard_swish),
        mbv3_op_se(ef=3, n=48, k=5, act=hard_swish),
        mbv3_op_se(ef=6, n=last_stage, k=5, s=2, act=hard_swish),  # 7 x 7
        mbv3_op_se(ef=6, n=last_stage, k=5, act=hard_swish),
        mbv3_op_se(ef=6, n=last_stage, k=5, act=hard_swish),
        *_head(features=6 * last_stage, last=1024),
    ]
    return {"defaults": DEFAULTS, "spec": spec}


def _minimalistic(conv_defs):
    """Returns a table without what some hardware is bad at: 5x5, squeeze-excite, hard-swish."""
    plain_block = {
        "kernel_size": (3, 3),
        "inner_activation_fn": tf.nn.relu,
        "expansion_transform": None,
    }
    spec = []
    for row in conv_defs["spec"]:
        params = {key: value for key, value in row.params.items() if key != "activation_fn"}
        if row.op is expanded_conv:
            params |= plain_block
        spec.append(row._replace(params=params))
    return {**conv_defs, "spec": spec}


V3_LARGE = _large()
V3_SMALL = _small()
V3_LARGE_MINIMALISTIC = _minimalistic(V3_LARGE)
V3_SMALL_MINIMALISTIC = _minimalistic(V3_SMALL)
V3_LARGE_DETECTION = _large(last_stage=80)
V3_SMALL_DETECTION = _small(last_stage=48)

V3_EDGETPU = {
    "defaults": DEFAULTS,
    "spec": [  # output size for images of 224 x 224
        _conv(n=32, k=3, s=2),  # 112 x 112
        mbv3_fused(ef=1, n=16, k=3),
        mbv3_fused(ef=8, n=32, k=3, s=2),  # 56 x 56
        *[mbv3_fused(ef=4, n=32, k=3)] * 3,
        mbv3_fused(ef=8, n=48, k=3, s=2),  # 28 x 28
        *[mbv3_fused(ef=4, n=48, k=3)] * 3,
        mbv3_op(ef=8, n=96, k=3, s=2),  # 14 x 14
        *[mbv3_op(ef=4, n=96, k=3)] * 3,
        mbv3_op(ef=8, n=96, k=3, residual=False),
        *[mbv3_op(ef=4, n=96, k=3)] * 3,
        mbv3_op(ef=8, n=160, k=5, s=2),  # 7 x 7
        *[mbv3_op(ef=4, n=160, k=5)] * 3,
        mbv3_op(ef=8, n=192, k=3),
        _conv(n=1280, k=1),
    ],
}


@slim.add_arg_scope
def mobilenet(
    input_tensor,
    num_classes=1001,
    depth_multiplier=1.0,
    scope="MobilenetV3",
    conv_defs=None,
    finegrain_classification_mode=False,
    use_groupnorm=False,
    **kwargs,
):
    """Builds MobileNet v3.

    Args:
      input_tensor: Images `[batch, height, width, channels]`; the published weights expect values
        in -1..1.
      num_classes: Number of classes; 0 or None leaves the classifier out.
      depth_multiplier: Factor on the channels of every layer, greater than 0.
      scope: Scope of the variables.
      conv_defs: The table of layers; None means `V3_LARGE`.
      finegrain_classification_mode: Whether the last layer keeps its channels, whatever the
        multiplier.
      use_groupnorm: Whether to normalize by groups of channels (`groups` of them, 8 usually)
        instead of by batches.
      **kwargs: Further arguments of `nets.mobilenet.mobilenet.mobilenet` and `mobilenet_base`.

    Returns:
      The logits (or features, see `nets.mobilenet.mobilenet.mobilenet`), and a dict of end
      points.

    Raises:
      errors.UserError: for arguments or images that the network has no use for.
    """
    conv_defs = V3_LARGE if conv_defs is None else conv_defs
    if finegrain_classification_mode:
        conv_defs = lib.with_full_last_layer(conv_defs)
    if use_groupnorm:
        conv_defs = lib.with_defaults(
            {**conv_defs, "defaults": DEFAULTS_GROUP_NORM},
            (slim.group_norm,),
            groups=kwargs.pop("groups", 8),
        )
    return lib.mobilenet(
        input_tensor,
        num_classes=num_classes,
        conv_defs=conv_defs,
        scope=scope,
        multiplier=depth_multiplier,
        **kwargs,
    )


mobilenet.default_image_size = 224


@slim.add_arg_scope
def mobilenet_base(input_tensor, depth_multiplier=1.0, **kwargs):
    """Builds the feature extractor: `mobilenet` up to the last feature map."""
    return mobilenet(input_tensor, depth_multiplier=depth_multiplier, base_only=True, **kwargs)


def wrapped_partial(func, new_defaults=None, **kwargs):
    """Returns `functools.partial` that keeps the name, documentation and attributes of `func`.

    Args:
      func: The function.
      new_defaults: Further arguments to bind; `kwargs` take precedence.
      **kwargs: The arguments to bind.
    """
    return common.wrapped_partial(func, **{**(new_defaults or {}), **kwargs})


large = wrapped_partial(mobilenet, conv_defs=V3_LARGE)
small = wrapped_partial(mobilenet, conv_defs=V3_SMALL)
edge_tpu = wrapped_partial(
    mobilenet, new_defaults={"scope": "MobilenetEdgeTPU"}, conv_defs=V3_EDGETPU
)
edge_tpu_075 = wrapped_partial(
    mobilenet,
    new_defaults={"scope": "MobilenetEdgeTPU"},
    conv_defs=V3_EDGETPU,
    depth_multiplier=0.75,
    finegrain_classification_mode=True,
)
large_minimalistic = wrapped_partial(mobilenet, conv_defs=V3_LARGE_MINIMALISTIC)
small_minimalistic = wrapped_partial(mobilenet, conv_defs=V3_SMALL_MINIMALISTIC)

_URL = "https://storage.googleapis.com/mobilenet_v3/checkpoints/v3-{}_224_{{}}_{{}}.tgz"
_EDGETPU_URL = (
    "https://storage.cloud.google.com/mobilenet_edgetpu/checkpoints/mobilenet_edgetpu_224_{}.tgz"
)


def _network(name, builder, url, *accuracies, scope="MobilenetV3"):
    """Returns a record; each of `accuracies` is (multiplier, arithmetic of the weights, top-1)."""
    return Network(
        name=name,
        builder=builder,
        arg_scope=training_scope,
        preprocessing="inception",
        paper="arXiv:1905.02244",
        classifier_scopes=(f"{scope}/Logits",),
        first_conv=f"{scope}/Conv/weights",
        min_image_size=1,
        checkpoints=tuple(
            Checkpoint(
                url=url.format(multiplier, arithmetic),
                image_size=224,
                num_classes=1001,
                top1=top1,
                depth_multiplier=multiplier,
                finegrain_classification_mode=multiplier < 1,
                quantized=arithmetic == "uint8",
            )
            for multiplier, arithmetic, top1 in accuracies
        ),
    )


NETWORKS = (
    _network(
        "mobilenet_v3_large",
        large,
        _URL.format("large"),
        (1.0, "float", 75.2),
        (1.0, "uint8", 73.9),
        (0.75, "float", 73.3),
    ),
    _network(
        "mobilenet_v3_small",
        small,
        _URL.format("small"),
        (1.0, "float", 67.5),
        (1.0, "uint8", 64.9),
        (0.75, "float", 65.4),
    ),
    _network(
        "mobilenet_v3_large_minimalistic",
        large_minimalistic,
        _URL.format("large-minimalistic"),
        (1.0, "float", 72.3),
        (1.0, "uint8", 71.3),
    ),
    _network(
        "mobilenet_v3_small_minimalistic",
        small_minimalistic,
        _URL.format("small-minimalistic"),
        (1.0, "float", 61.9),
    ),
    _network(
        "mobilenet_edgetpu",
        edge_tpu,
        _EDGETPU_URL,
        (1.0, "uint8", 75.6),
        scope="MobilenetEdgeTPU",
    ),
    _network(
        "mobilenet_edgetpu_075",
        edge_tpu_075,
        _EDGETPU_URL,
        (0.75, "uint8", 73.5),
        scope="MobilenetEdgeTPU",
    ),
)
