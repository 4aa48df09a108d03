"""The names of Keras applications.

A tensor is "layer/position", such as "conv1_bn/0": the name of the layer and the place of the
tensor among the layer's weights, which no version of Keras has changed.
"""

import re
from collections.abc import Callable, Mapping, Sequence

from slim_internal.parts.checkpoints.converters import rules
from slim_internal.parts.checkpoints.converters.rules import DENSE, REVERSED_CHANNELS, SAME, Rule

# Pattern of slim's scope -> name of the layer, and of the normalization after it.
_MOBILENET_V1 = (
    (r"Conv2d_0", "conv1", "conv1_bn"),
    (r"Conv2d_(\d+)_depthwise", r"conv_dw_\1", r"conv_dw_\1_bn"),
    (r"Conv2d_(\d+)_pointwise", r"conv_pw_\1", r"conv_pw_\1_bn"),
    (r"Logits/Conv2d_1c_1x1", "conv_preds", ""),
)
_MOBILENET_V2 = (
    (r"Conv", "Conv1", "bn_Conv1"),
    (r"expanded_conv/(\w+)", r"expanded_conv_\1", r"expanded_conv_\1_BN"),
    (r"expanded_conv_(\d+)/(\w+)", r"block_\1_\2", r"block_\1_\2_BN"),
    (r"Conv_1", "Conv_1", "Conv_1_bn"),
    (r"Logits/Conv2d_1c_1x1", "predictions", ""),
)
_VGG = (
    (r"conv(\d)/conv\d_(\d)", r"block\1_conv\2", ""),
    (r"fc6", "fc1", ""),
    (r"fc7", "fc2", ""),
    (r"fc8", "predictions", ""),
)
# The order in which Keras lists the convolutions of its InceptionV3: by depth, not by creation.
_INCEPTION_V3_ORDER = (
    *(0, 1, 2, 3, 4, 8, 6, 9, 5, 7, 10, 11, 15, 13, 16, 12, 14, 17, 18, 22, 20, 23, 19, 21, 24),
    *(25, 27, 28, 26, 29, 34, 35, 31, 36, 32, 37, 30, 33, 38, 39, 44, 45, 41, 46, 42, 47, 40, 43),
    *(48, 49, 54, 55, 51, 56, 52, 57, 50, 53, 58, 59, 64, 65, 61, 66, 62, 67, 60, 63, 68, 69, 72),
    *(73, 70, 74, 71, 75, 80, 77, 81, 78, 79, 82, 83, 76, 84, 89, 86, 90, 87, 88, 91, 92, 85, 93),
)

_PATTERNS = {
    "mobilenet_v1": _MOBILENET_V1,
    "mobilenet_v1_025": _MOBILENET_V1,
    "mobilenet_v1_050": _MOBILENET_V1,
    "mobilenet_v1_075": _MOBILENET_V1,
    "mobilenet_v2": _MOBILENET_V2,
    "mobilenet_v2_035": _MOBILENET_V2,
    "mobilenet_v2_140": _MOBILENET_V2,
    "vgg_16": _VGG,
    "vgg_19": _VGG,
}
NETWORKS = ("inception_v3", *_PATTERNS)

_STRIDES = (
    "Keras puts the stride of a stage into the first 1x1 convolution of its first unit, slim into"
    " the 3x3 convolution of the last unit before it, and the first pooling pads differently: the"
    " same weights compute another function"
)
REFUSED = {
    **{f"resnet_v1_{depth}": _STRIDES for depth in (50, 101, 152, 200)},
    **{
        f"resnet_v2_{depth}": "the first pooling pads differently: the same weights compute"
        " another function"
        for depth in (50, 101, 152, 200)
    },
}


def mapping(network: str, variables: Mapping[str, Sequence[int]]) -> list[Rule]:
    """Returns a rule for every variable of a network.

    Args:
      network: One of `NETWORKS`.
      variables: Name -> shape in the order of creation, without auxiliary heads.
    """
    names = _inception_v3 if network == "inception_v3" else _by_pattern(_PATTERNS[network])
    first = next(iter(variables))
    found = []
    for scope, leaves in rules.scopes(variables).items():
        above, last = rules.split(scope)
        is_norm = last == rules.BATCH_NORM
        layer, norm = names(above if is_norm else scope, variables)
        for position, leaf in enumerate(_in_keras_order(leaves)):
            variable = f"{scope}/{leaf}"
            layout = SAME
            if network.startswith("vgg") and variable == first:
                layout = REVERSED_CHANNELS
            elif layer in ("fc1", "fc2", "predictions") and leaf == "weights":
                layout = DENSE
            found.append(Rule(f"{norm if is_norm else layer}/{position}", variable, layout))
    return found


def file_order(network: str, layers: Sequence[str]) -> list[str]:
    """Returns layers of one kind in the order in which Keras numbers them in a file."""
    if network != "inception_v3":
        return list(layers)
    return sorted(layers, key=lambda layer: _INCEPTION_V3_ORDER.index(_number(layer)))


def renumbered(layers: Sequence[str]) -> dict[str, str]:
    """Returns the name of each layer as it is in a program that makes one model only.

    Keras counts the layers of a program on: a second InceptionV3 begins with conv2d_94.
    """
    found = {layer: layer for layer in layers}
    for kind in ("conv2d", "batch_normalization"):
        own = [layer for layer in layers if re.fullmatch(rf"{kind}(_\d+)?", layer)]
        for number, layer in enumerate(sorted(own, key=_number)):
            found[layer] = f"{kind}_{number}" if number else kind
    return found


def _number(layer: str) -> int:
    suffix = layer.rpartition("_")[2]
    return int(suffix) if suffix.isdecimal() else 0


def _in_keras_order(leaves: Sequence[str]) -> list[str]:
    order = ("weights", "depthwise_weights", "biases", "gamma", *rules.STATISTICS)
    return sorted(leaves, key=order.index)


def _by_pattern(patterns) -> Callable[[str, Mapping], tuple[str, str]]:
    def names(scope: str, variables: Mapping) -> tuple[str, str]:
        inside = scope.partition("/")[2]
        for pattern, layer, norm in patterns:
            match = re.fullmatch(pattern, inside)
            if match:
                return match.expand(layer), match.expand(norm)
        raise KeyError(scope)

    return names


def _inception_v3(scope: str, variables: Mapping) -> tuple[str, str]:
    """Names by number: both libraries create the layers in the same order."""
    own = list(rules.layers(variables))
    if scope == own[-1]:
        return "predictions", ""
    number = own.index(scope)
    suffix = f"_{number}" if number else ""
    return f"conv2d{suffix}", f"batch_normalization{suffix}"
