"""What published weights must hold is what the graph of their network holds."""

import pytest

from slim_internal.parts.checkpoints import contents, published
from tests import golden_files


@pytest.mark.parametrize("name", ["mobilenet_v1", "inception_v1", "vgg_16"])
def test_shapes_are_those_of_the_original(name):
    weights = published.get(name)
    golden = golden_files.load(f"variables/{name}.json")
    expected = dict(golden["trainable"] + golden["non_trainable"])
    assert contents.expected_shapes(weights.network, weights.checkpoint) == expected


def test_widths_of_the_weights():
    weights = published.get("mobilenet_v2_0.5_96")
    shapes = contents.expected_shapes(weights.network, weights.checkpoint)
    assert shapes["MobilenetV2/Conv/weights"] == [3, 3, 3, 16]
    assert shapes["MobilenetV2/Conv_1/weights"][-1] == 1280
