"""Tables, blocks and arguments of the MobileNets, by numbers worked out by hand."""

import numpy as np
import pytest

from nets import mobilenet_v1
from nets.mobilenet import common, conv_blocks, mobilenet_v2, mobilenet_v3
from nets.mobilenet import mobilenet as lib
from slim_internal.ground import errors
from slim_internal.ground.compat import slim, tf
from tests import golden_files

TABLES = [
    (module, name)
    for module in (mobilenet_v2, mobilenet_v3)
    for name, facts in golden_files.load("api.json")[module.__name__]["constants"].items()
    if "conv_defs" in facts
]


@pytest.fixture(autouse=True)
def fresh_graph():
    with tf.Graph().as_default() as graph:
        yield graph


def images(height=32, width=32):
    return tf.placeholder(tf.float32, [2, height, width, 3])


@pytest.mark.parametrize(("module", "name"), TABLES, ids=[name for _, name in TABLES])
def test_table_is_the_published_one(module, name):
    golden = golden_files.load("api.json")[module.__name__]["constants"][name]["conv_defs"]
    for row, (operation, expected) in zip(
        getattr(module, name)["spec"], golden["layers"], strict=True
    ):
        assert row.op.__name__ == operation
        expected, params = dict(expected), dict(row.params)
        widths = expected.pop("expansion_from_inputs_16_24_40_80_96_112_160", None)
        expand = params.pop("expansion_size", None)
        if widths:
            assert [expand(num_inputs=n) for n in (16, 24, 40, 80, 96, 112, 160)] == widths
        assert params.keys() == expected.keys()
        for key in ("num_outputs", "stride", "residual", "depthwise_location"):
            assert params.get(key) == expected.get(key), key
        assert list(params.get("kernel_size", ())) == expected.get("kernel_size", [])
        for key in ("activation_fn", "inner_activation_fn"):
            wanted = expected.get(key)
            assert (params[key].__name__ if wanted else None) == (wanted and wanted.split(".")[-1])
        has_transform = params.get("expansion_transform") is not None
        assert has_transform == (expected.get("expansion_transform") is not None)


@pytest.mark.parametrize(
    ("value", "divisor", "expected"),
    [(32, 8, 32), (33, 8, 32), (18, 8, 24), (5, 8, 8), (36, 8, 40)],
)
def test_make_divisible(value, divisor, expected):
    assert conv_blocks.make_divisible(value, divisor) == expected


@pytest.mark.parametrize(
    ("output_stride", "expected"),
    [
        (None, [(2, 1), (1, 1), (2, 1), (2, 1), (1, 1)]),
        (2, [(2, 1), (1, 1), (1, 1), (1, 2), (1, 4)]),
        (4, [(2, 1), (1, 1), (2, 1), (1, 1), (1, 2)]),
        (8, [(2, 1), (1, 1), (2, 1), (2, 1), (1, 1)]),
    ],
)
def test_atrous(output_stride, expected):
    assert common.atrous([2, 1, 2, 2, 1], output_stride) == expected


def test_split_conv_works_on_parts_of_the_channels():
    net = conv_blocks.split_conv(tf.zeros([1, 4, 4, 24]), 40, num_ways=2, scope="split")
    weights = [v.shape.as_list()[2:] for v in slim.get_variables_by_name("weights")]
    assert net.shape.as_list() == [1, 4, 4, 40]
    assert weights == [[16, 24], [8, 16]]


def test_split_conv_is_plain_where_parts_would_be_too_small():
    conv_blocks.split_conv(tf.zeros([1, 4, 4, 24]), 8, num_ways=2, scope="split")
    assert [v.op.name for v in tf.global_variables()] == ["split/weights", "split/biases"]


@pytest.mark.parametrize("scope", ["Conv2d_1", None])
def test_split_separable_conv2d_is_named_as_in_v1(scope):
    end_points = {}
    conv_blocks.split_separable_conv2d(
        tf.zeros([1, 8, 8, 3]), 16, scope=scope, stride=2, endpoints=end_points
    )
    prefix = "Conv2d_1_" if scope else ""
    assert {name: net.shape.as_list() for name, net in end_points.items()} == {
        f"{prefix}depthwise": [1, 4, 4, 3],
        f"{prefix}pointwise": [1, 4, 4, 16],
    }


@pytest.mark.parametrize("pool", [None, 3])
def test_squeeze_excite_scales_channels(pool):
    net = np.random.RandomState(0).uniform(size=[1, 6, 6, 4]).astype(np.float32)
    half = conv_blocks.squeeze_excite(tf.constant(net), gating_fn=lambda x: 0 * x + 0.5, pool=pool)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        np.testing.assert_allclose(session.run(half), net / 2, rtol=1e-6)


@pytest.mark.parametrize(
    ("build", "kwargs"),
    [
        (mobilenet_v2.mobilenet_v2_035, {}),
        (mobilenet_v2.mobilenet, {"activation_fn": tf.nn.relu}),
        (mobilenet_v2.mobilenet_base_group_norm, {"groups": 4}),
        (mobilenet_v3.edge_tpu_075, {}),
        (mobilenet_v3.large, {"use_groupnorm": True}),
    ],
)
def test_variants_leave_the_tables_alone(build, kwargs):
    tables = [getattr(module, name) for module, name in TABLES]
    before = [repr(table) for table in tables]
    build(images(), **kwargs)
    assert [repr(table) for table in tables] == before


@pytest.mark.parametrize("build", [mobilenet_v2.mobilenet, mobilenet_v3.small])
def test_explicit_padding_keeps_sizes(build):
    _, same = build(images(64, 64), num_classes=10)
    with tf.variable_scope(tf.get_variable_scope(), reuse=True):
        _, explicit = build(images(64, 64), num_classes=10, use_explicit_padding=True)
    assert {k: v.shape.as_list() for k, v in explicit.items()} == {
        k: v.shape.as_list() for k, v in same.items()
    }


def test_dense_convolutions_of_v1_keep_their_stride():
    """As published: an output stride holds for depthwise convolutions alone."""
    rows = [
        mobilenet_v1.Conv([3, 3], 2, 8),
        mobilenet_v1.DepthSepConv([3, 3], 2, 8),
        mobilenet_v1.Conv([3, 3], 2, 8),
        mobilenet_v1.DepthSepConv([3, 3], 1, 8),
    ]
    _, end_points = mobilenet_v1.mobilenet_v1_base(
        images(64, 64), final_endpoint="Conv2d_3_pointwise", conv_defs=rows, output_stride=4
    )
    assert [net.shape[1] for name, net in end_points.items()] == [32, 16, 16, 8, 8, 8]


@pytest.mark.parametrize(("multiplier", "expected"), [(0.5, 1280), (1.25, 1280), (1.5, 1280)])
def test_last_layer_of_v3_keeps_its_width_for_fine_grained_classes(multiplier, expected):
    _, end_points = mobilenet_v3.large(
        images(), depth_multiplier=multiplier, finegrain_classification_mode=True
    )
    assert end_points["layer_19"].shape[3] == expected


@pytest.mark.parametrize("output_stride", [8, 16])
def test_output_stride_of_whole_v3(output_stride):
    """What averages the map at the end has no dilation."""
    logits, end_points = mobilenet_v3.large(images(64, 64), output_stride=output_stride)
    assert logits.shape == [2, 1001]
    assert end_points["layer_17"].shape[1] == 64 // output_stride


def test_explicit_padding_has_the_last_word_over_a_table():
    table = {**mobilenet_v2.V2_DEF, "overrides": {(slim.conv2d,): {"padding": "SAME"}}}
    _, end_points = mobilenet_v2.mobilenet(
        images(64, 64), conv_defs=table, use_explicit_padding=True, final_endpoint="layer_1"
    )
    assert end_points["layer_1"].shape[1] == 32


def test_unknown_image_size():
    net, _ = mobilenet_v2.mobilenet(images(None, None), num_classes=10)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        [feed] = [op for op in net.graph.get_operations() if op.type == "Placeholder"]
        assert session.run(net, {feed.outputs[0]: np.zeros([2, 40, 56, 3])}).shape == (2, 10)


@pytest.mark.parametrize(
    ("build", "kwargs", "message"),
    [
        (mobilenet_v1.mobilenet_v1_base, {"output_stride": 5}, "Allowed: 1, 2, 4, 8, 16, 32"),
        (mobilenet_v1.mobilenet_v1_base, {"final_endpoint": "Conv2d_14"}, "Conv2d_13_pointwise"),
        (mobilenet_v1.mobilenet_v1, {"depth_multiplier": 0}, "greater than zero"),
        (mobilenet_v2.mobilenet, {"output_stride": 64}, "Allowed: 1, 2, 4, 8, 16, 32"),
        (mobilenet_v2.mobilenet, {"final_endpoint": "layer_20"}, "layer_19"),
        (mobilenet_v3.mobilenet, {"depth_multiplier": -1}, "greater than zero"),
        (mobilenet_v3.mobilenet, {"scope": "a", "final_endpoint": "layer_0"}, "layer_1"),
    ],
)
def test_wrong_arguments_are_named_with_what_is_allowed(build, kwargs, message):
    with pytest.raises(errors.UserError, match=message):
        build(images(), **kwargs)


def test_small_images_that_are_not_square():
    with pytest.raises(errors.UserError, match="at least 7x7 here; it is 1x2"):
        mobilenet_v3.small(images(32, 64))


def test_large_images_need_a_way_to_one_prediction():
    with pytest.raises(errors.UserError, match="global_pool=True"):
        mobilenet_v1.mobilenet_v1(images(512, 512))


@pytest.mark.parametrize(("regularize_depthwise", "penalties"), [(False, 2), (True, 3)])
def test_depthwise_weights_of_v1_decay_where_asked(regularize_depthwise, penalties):
    with slim.arg_scope(
        mobilenet_v1.mobilenet_v1_arg_scope(regularize_depthwise=regularize_depthwise)
    ):
        mobilenet_v1.mobilenet_v1_base(images(), final_endpoint="Conv2d_1_pointwise")
    assert len(tf.losses.get_regularization_losses()) == penalties


def test_safe_arg_scope_without_arguments_changes_nothing():
    with lib.safe_arg_scope([slim.batch_norm], decay=None) as scope:
        assert scope is None
