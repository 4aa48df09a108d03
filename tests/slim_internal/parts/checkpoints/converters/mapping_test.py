"""Every variable of the original has one tensor in the other library, and the names are its own."""

import hashlib

import pytest

from slim_internal.parts.checkpoints.converters import keras, timm
from tests import golden_files

# Number of tensors of timm 1.0.31, and the digest of their names, one a line, sorted, without
# those that it keeps beside the weights.
_TIMM = {
    "inception_v3": (472, "ed87dd0f166ade68"),
    "inception_v4": (747, "d7fc046491bf7fdb"),
    "inception_resnet_v2": (1102, "4b0510d2904a1710"),
    "mobilenet_v3_large": (266, "b075415001eac37c"),
    "mobilenet_v3_large_minimalistic": (234, "e74142a9b4ba5fb4"),
    "mobilenet_v3_small": (210, "1afba87a844a28b9"),
    "nasnet_large": (1546, "45a67650159219c9"),
    "pnasnet_large": (1179, "115291449e6d8694"),
}
# Number of tensors of Keras 3.15.
_KERAS = {
    "inception_v3": 378,
    "mobilenet_v1": 137,
    "mobilenet_v1_025": 137,
    "mobilenet_v2": 262,
    "mobilenet_v2_035": 262,
    "mobilenet_v2_140": 262,
    "vgg_16": 32,
    "vgg_19": 38,
}


def _variables(network):
    """The variables of a network that belong to no auxiliary head."""
    golden = golden_files.load(f"variables/{network}.json")
    return {
        name: shape
        for name, shape in golden["trainable"] + golden["non_trainable"]
        if not any(part.startswith(("aux_", "Aux")) for part in name.split("/"))
        and not name.endswith("global_step")
    }


@pytest.mark.parametrize("network", _TIMM)
def test_timm(network):
    variables = _variables(network)
    mapping = timm.mapping(network, variables)
    assert {rule.variable for rule in mapping if not rule.ones} == variables.keys()
    tensors = sorted(rule.tensor for rule in mapping)
    digest = hashlib.sha256("\n".join(tensors).encode()).hexdigest()
    assert (len(tensors), digest[:16]) == _TIMM[network]


@pytest.mark.parametrize("network", _KERAS)
def test_keras(network):
    variables = _variables(network)
    mapping = keras.mapping(network, variables)
    assert [rule.variable for rule in mapping if rule.ones] == []
    assert {rule.variable for rule in mapping} == variables.keys()
    assert len({rule.tensor for rule in mapping}) == _KERAS[network] == len(variables)


def test_every_network_is_mapped_or_refused_once():
    assert not set(keras.NETWORKS) & keras.REFUSED.keys()
    assert not timm.MODELS.keys() & timm.REFUSED.keys()


def test_layers_of_a_program_that_made_more_than_one_model():
    layers = ["conv2d_95", "conv2d_94", "batch_normalization_95", "batch_normalization_94", "dense"]
    assert keras.renumbered(layers) == {
        "conv2d_94": "conv2d",
        "conv2d_95": "conv2d_1",
        "batch_normalization_94": "batch_normalization",
        "batch_normalization_95": "batch_normalization_1",
        "dense": "dense",
    }
