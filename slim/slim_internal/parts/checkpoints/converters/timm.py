"""The names of timm's models that are ports of slim's published weights."""

import re
from collections.abc import Callable, Mapping, Sequence

from slim_internal.parts.checkpoints.converters import rules
from slim_internal.parts.checkpoints.converters.rules import (
    SAME,
    TORCH_DENSE,
    TORCH_DEPTHWISE,
    TORCH_KERNEL,
    Rule,
)

Variables = Mapping[str, Sequence[int]]

# Name of the network -> name of timm's model.
MODELS = {
    "inception_v3": "inception_v3.tf_in1k",
    "inception_v4": "inception_v4.tf_in1k",
    "inception_resnet_v2": "inception_resnet_v2.tf_in1k",
    "mobilenet_v3_large": "tf_mobilenetv3_large_100.in1k",
    "mobilenet_v3_small": "tf_mobilenetv3_small_100.in1k",
    "mobilenet_v3_large_minimalistic": "tf_mobilenetv3_large_minimal_100.in1k",
    "mobilenet_v3_small_minimalistic": "tf_mobilenetv3_small_minimal_100.in1k",
    "nasnet_large": "nasnetalarge.tf_in1k",
    "pnasnet_large": "pnasnet5large.tf_in1k",
}

_REFUSED_RESNETS = (
    "timm's first pooling pads differently: the same weights compute another function"
)
REFUSED = {
    f"resnet_{version}_{depth}": _REFUSED_RESNETS
    for version in ("v1", "v2")
    for depth in (50, 101, 152, 200)
}

# What timm keeps beside the weights, and heads that only its training needs.
IGNORED = re.compile(r".*\.num_batches_tracked|AuxLogits\..*")

_LEAVES = {
    "biases": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}

_DOUBLE_3 = ("branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3")
_V3_A = ("branch1x1", "branch5x5_1", "branch5x5_2", *_DOUBLE_3, "branch_pool")
_V3_B = ("branch3x3", *_DOUBLE_3)
_V3_C = (
    "branch1x1",
    *(f"branch7x7_{i}" for i in range(1, 4)),
    *(f"branch7x7dbl_{i}" for i in range(1, 6)),
    "branch_pool",
)
_V3_D = ("branch3x3_1", "branch3x3_2", *(f"branch7x7x3_{i}" for i in range(1, 5)))
_V3_E = (
    "branch1x1",
    *("branch3x3_1", "branch3x3_2a", "branch3x3_2b"),
    *("branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3a", "branch3x3dbl_3b"),
    "branch_pool",
)
_STEM_V3 = ("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "Conv2d_3b_1x1", "Conv2d_4a_3x3")


def _branches(*lengths: int) -> tuple[str, ...]:
    """Returns names of the convolutions of branches; a length of 0 is a branch of a single one."""
    return tuple(
        name
        for branch, length in enumerate(lengths)
        for name in ([f"branch{branch}.{place}" for place in range(length)] or [f"branch{branch}"])
    )


def _within(blocks: Sequence[tuple[str, Sequence[str]]]) -> list[str]:
    return [f"{block}.{name}" for block, names in blocks for name in names]


def _inception_v3() -> list[str]:
    blocks = [
        *((f"Mixed_5{letter}", _V3_A) for letter in "bcd"),
        ("Mixed_6a", _V3_B),
        *((f"Mixed_6{letter}", _V3_C) for letter in "bcde"),
        ("Mixed_7a", _V3_D),
        *((f"Mixed_7{letter}", _V3_E) for letter in "bc"),
    ]
    return [*_STEM_V3, *_within(blocks)]


def _inception_v4() -> list[str]:
    pooled = "branch3.1"  # The convolution after the pooling.
    a = (*_branches(0, 2, 3), pooled)
    b = (*_branches(0, 3, 5), pooled)
    c = (
        *("branch0", "branch1_0", "branch1_1a", "branch1_1b"),
        *("branch2_0", "branch2_1", "branch2_2", "branch2_3a", "branch2_3b", pooled),
    )
    blocks = [
        ("3", ["conv"]),
        ("4", _branches(2, 4)),
        ("5", ["conv"]),
        *((str(number), a) for number in range(6, 10)),
        ("10", _branches(0, 3)),
        *((str(number), b) for number in range(11, 18)),
        ("18", _branches(2, 4)),
        *((str(number), c) for number in range(19, 22)),
    ]
    return [f"features.{name}" for name in ("0", "1", "2", *_within(blocks))]


def _inception_resnet_v2() -> list[str]:
    two_branches = (*_branches(0, 3), "conv2d")
    blocks = [
        ("mixed_5b", (*_branches(0, 2, 3), "branch3.1")),
        *((f"repeat.{number}", (*_branches(0, 2, 3), "conv2d")) for number in range(10)),
        ("mixed_6a", _branches(0, 3)),
        *((f"repeat_1.{number}", two_branches) for number in range(20)),
        ("mixed_7a", _branches(2, 2, 3)),
        *((f"repeat_2.{number}", two_branches) for number in range(9)),
        ("block8", two_branches),
    ]
    stem = [f"conv2d_{name}" for name in ("1a", "2a", "2b", "3b", "4a")]
    return [*stem, *_within(blocks), "conv2d_7b"]


def _by_order(prefixes: Sequence[str], classifier: str) -> Callable[[Variables], dict[str, str]]:
    """Returns a naming of networks whose convolutions timm defines in slim's order."""

    def names(variables: Variables) -> dict[str, str]:
        layers = rules.layers(variables)
        *convolutions, logits = layers
        found = {logits: classifier}
        for layer, prefix in zip(convolutions, prefixes, strict=True):
            found[layer] = f"{prefix}.conv" if layers[layer] else prefix
            found[f"{layer}/{rules.BATCH_NORM}"] = f"{prefix}.bn"
        return found

    return names


# Lengths of timm's stages.
_V3_STAGES = {"large": (1, 2, 3, 4, 2, 3), "small": (1, 2, 3, 2, 3)}
_V3_PARTS = {
    "expand": ("conv_pw", "bn1"),
    "depthwise": ("conv_dw", "bn2"),
    "project": ("conv_pwl", "bn3"),
}
# The first block does not expand, and timm counts its layers from there.
_V3_FIRST_PARTS = {"depthwise": ("conv_dw", "bn1"), "project": ("conv_pw", "bn2")}


def _mobilenet_v3(size: str) -> Callable[[Variables], dict[str, str]]:
    stages = _V3_STAGES[size]
    blocks = [
        f"blocks.{stage}.{place}" for stage, length in enumerate(stages) for place in range(length)
    ]
    last = f"blocks.{len(stages)}.0"

    def names(variables: Variables) -> dict[str, str]:
        root = next(iter(variables)).partition("/")[0]
        found = {
            f"{root}/Conv": "conv_stem",
            f"{root}/Conv/{rules.BATCH_NORM}": "bn1",
            f"{root}/Conv_1": f"{last}.conv",
            f"{root}/Conv_1/{rules.BATCH_NORM}": f"{last}.bn1",
            f"{root}/Conv_2": "conv_head",
            f"{root}/Logits/Conv2d_1c_1x1": "classifier",
        }
        for number, block in enumerate(blocks):
            scope = f"{root}/expanded_conv" + (f"_{number}" if number else "")
            for part, (layer, norm) in (_V3_PARTS if number else _V3_FIRST_PARTS).items():
                found[f"{scope}/{part}"] = f"{block}.{layer}"
                found[f"{scope}/{part}/{rules.BATCH_NORM}"] = f"{block}.{norm}"
            found[f"{scope}/squeeze_excite/Conv"] = f"{block}.se.conv_reduce"
            found[f"{scope}/squeeze_excite/Conv_1"] = f"{block}.se.conv_expand"
        return found

    return names


def _nasnet(first: str, path: str) -> Callable[[Variables], dict[str, str]]:
    """Returns a naming of cells.

    Args:
      first: timm's name of the first convolution.
      path: What stands before the two halves of a factorized reduction.
    """
    patterns = (
        (r"conv0", f"{first}.conv"),
        (r"conv0_bn", f"{first}.bn"),
        (r"final_layer/FC", "last_linear"),
        (r"(\w+)/1x1", r"\1.conv_1x1.conv"),
        (r"(\w+)/beginning_bn", r"\1.conv_1x1.bn"),
        (r"(\w+)/prev_1x1", r"\1.conv_prev_1x1.conv"),
        (r"(\w+)/prev_bn", r"\1.conv_prev_1x1.bn"),
        (r"(\w+)/path(\d)_conv", rf"\1.{path}path_\2.conv"),
        (r"(\w+)/final_path_bn", rf"\1.{path}final_path_bn"),
        (r"(\w+)/(comb_iter_\d)/(\w+)/separable_\dx\d_(\d)", r"\1.\2_\3.separable_\4"),
        (r"(\w+)/(comb_iter_\d)/(\w+)/bn_sep_\dx\d_(\d)", r"\1.\2_\3.bn_sep_\4"),
        (r"(\w+)/(comb_iter_\d)/(\w+)/1x1", r"\1.\2_\3.conv"),
        (r"(\w+)/(comb_iter_\d)/(\w+)/bn_1", r"\1.\2_\3.bn"),
    )

    def names(variables: Variables) -> dict[str, str]:
        return {
            scope: match.expand(prefix)
            for scope in rules.scopes(variables)
            for pattern, prefix in patterns
            if (match := re.fullmatch(pattern, scope))
        }

    return names


_NAMES = {
    "inception_v3": _by_order(_inception_v3(), "fc"),
    "inception_v4": _by_order(_inception_v4(), "last_linear"),
    "inception_resnet_v2": _by_order(_inception_resnet_v2(), "classif"),
    "mobilenet_v3_large": _mobilenet_v3("large"),
    "mobilenet_v3_small": _mobilenet_v3("small"),
    "mobilenet_v3_large_minimalistic": _mobilenet_v3("large"),
    "mobilenet_v3_small_minimalistic": _mobilenet_v3("small"),
    "nasnet_large": _nasnet("conv0", ""),
    "pnasnet_large": _nasnet("conv_0", "conv_prev_1x1."),
}


def mapping(network: str, variables: Variables) -> list[Rule]:
    """Returns a rule for every variable of a network.

    Args:
      network: One of `MODELS`.
      variables: Name -> shape in the order of creation, without auxiliary heads.
    """
    names = _NAMES[network](variables)
    *_, last = rules.layers(variables)
    found = []
    for scope, leaves in rules.scopes(variables).items():
        for leaf in leaves:
            found.append(_rule(names[scope], scope, leaf, is_classifier=scope == last))
        if "beta" in leaves and "gamma" not in leaves:
            found.append(Rule(f"{names[scope]}.weight", f"{scope}/beta", ones=True))
    return found


def _rule(prefix: str, scope: str, leaf: str, *, is_classifier: bool) -> Rule:
    variable = f"{scope}/{leaf}"
    if leaf in _LEAVES:
        return Rule(f"{prefix}.{_LEAVES[leaf]}", variable, SAME)
    if is_classifier:
        return Rule(f"{prefix}.weight", variable, TORCH_DENSE)
    inner = {"depthwise_weights": ".depthwise_conv2d", "pointwise_weights": ".pointwise_conv2d"}
    separable = "separable" in scope
    layout = TORCH_DEPTHWISE if leaf == "depthwise_weights" else TORCH_KERNEL
    return Rule(f"{prefix}{inner[leaf] if separable else ''}.weight", variable, layout)
