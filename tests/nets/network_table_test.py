"""The table of networks counts what the papers count."""

import json

import pytest

from nets import graph_cost, nets_factory, network_table
from slim_internal.ground.compat import slim, tf
from tests import golden_files

SMALL = [nets_factory.networks[name] for name in ("lenet", "mobilenet_v1_025")]


@pytest.fixture(scope="module")
def rows():
    return list(network_table.rows(SMALL))


def test_tells_how_far_it_is():
    calls = []
    for _ in network_table.rows(SMALL, progress=calls.append):
        pass
    assert [(status.done, status.total) for status in calls] == [(0, 2), (1, 2)]


def test_costs_by_hand():
    with tf.Graph().as_default() as graph:
        images = tf.placeholder(tf.float32, [1, 8, 8, 3])
        net = slim.conv2d(images, 5, [3, 3], stride=2)  # 4 * 4 * 5 values of 3 * 3 * 3 products.
        net = slim.separable_conv2d(net, None, [3, 3])  # 4 * 4 * 5 values of 3 * 3 products.
        net = slim.fully_connected(slim.flatten(net), 7)  # 7 values of 80 products.
        slim.fully_connected(net, 9, scope="Aux")
        assert graph_cost.multiply_adds(graph, ("Aux",)) == 80 * 27 + 80 * 9 + 7 * 80
        assert graph_cost.num_parameters(("Aux",)) == (135 + 5) + (45 + 5) + (560 + 7)


# Published with one digit only, or with figures that are not those of the published graph.
INEXACT = (
    "mobilenet_edgetpu",
    "mobilenet_edgetpu_075",
    "mobilenet_v1_075",
    "mobilenet_v3_small",
    "mobilenet_v3_small_minimalistic",
)

ROWS = {row["url"]: row for row in golden_files.load("checkpoints.json")}

# What the makers of the other MobileNets published, for the default sizes of our networks.
PUBLISHED = [
    (network, checkpoint)
    for network in nets_factory.networks.values()
    for checkpoint in network.checkpoints
    if network.name not in INEXACT
    and "million_macs" in ROWS[checkpoint.url]
    and checkpoint.image_size == network.default_image_size
    and not checkpoint.quantized  # They cost the same.
]


@pytest.mark.parametrize(
    ("mobilenet", "checkpoint"), PUBLISHED, ids=[checkpoint.archive for _, checkpoint in PUBLISHED]
)
def test_published_costs(mobilenet, checkpoint):
    """The arguments of a checkpoint build the network that its makers describe."""
    published = ROWS[checkpoint.url]
    parameters, multiply_adds = graph_cost.of_network(mobilenet, **checkpoint.arguments)
    assert multiply_adds / 1e6 == pytest.approx(published["million_macs"], rel=0.02)
    assert parameters / 1e6 == pytest.approx(published["million_parameters"], rel=0.02)


def test_text(rows):
    header, lenet, _ = network_table.text(rows).splitlines()
    assert header.split()[:3] == ["network", "size", "classes"]
    assert lenet.split()[:4] == ["lenet", "28", "10", "3,274,634"]


def test_markdown(rows):
    header, rule, lenet, _ = network_table.markdown(rows).splitlines()
    assert {line.count("|") for line in (header, rule, lenet)} == {10}


def test_json_has_every_checkpoint(rows):
    facts = json.loads(network_table.as_json(rows))
    assert [network["name"] for network in facts] == ["lenet", "mobilenet_v1_025"]
    assert facts[0]["parameters"] == 3274634
    for network, fact in zip(SMALL, facts, strict=True):
        assert len(fact["checkpoints"]) == len(network.checkpoints)
