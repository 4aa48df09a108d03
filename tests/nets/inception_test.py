"""What the Inception networks do beyond what the reference numbers of every network cover."""

import numpy as np
import pytest

from nets import inception, inception_resnet_v2, inception_v3, inception_v4
from nets import inception_modules as modules
from slim_internal.ground import errors
from slim_internal.ground.compat import slim, tf
from tests.nets import golden_weights

BASES = {
    "v1": inception.inception_v1_base,
    "v2": inception.inception_v2_base,
    "v3": inception.inception_v3_base,
    "v4": inception.inception_v4_base,
    "resnet_v2": inception.inception_resnet_v2_base,
}


@pytest.fixture(autouse=True)
def fresh_graph():
    with tf.Graph().as_default() as graph:
        yield graph


def images(height, width=None, channels=3):
    return tf.placeholder(tf.float32, [2, height, width or height, channels])


def sizes_of_end_points(base, size, **kwargs):
    _, end_points = base(images(size), **kwargs)
    return {name: net.shape.as_list()[1:3] for name, net in end_points.items()}


@pytest.mark.parametrize("base", BASES.values(), ids=BASES)
def test_unknown_final_endpoint(base):
    with pytest.raises(errors.UserError, match=r"final_endpoint 'Conv2d_1a'.*Allowed: Conv2d_1a_"):
        base(images(299), final_endpoint="Conv2d_1a")


@pytest.mark.parametrize("base", BASES.values(), ids=BASES)
def test_final_endpoint_is_the_last_one_built(base):
    _, every = base(images(107), scope="All")
    for name in list(every)[:9:4]:
        net, end_points = base(images(107), final_endpoint=name, scope=f"Until_{name}")
        assert list(end_points)[-1] == name
        assert end_points[name] is net
        assert net.shape.as_list() == every[name].shape.as_list()
        assert list(end_points) == list(every)[: len(end_points)]


@pytest.mark.parametrize(
    ("base", "final_endpoint", "smallest"),
    [
        (inception.inception_v3_base, "Conv2d_1a_3x3", 3),
        (inception.inception_v3_base, "Mixed_6e", 43),
        (inception.inception_v3_base, "Mixed_7c", 75),
        (inception.inception_v4_base, "Mixed_3a", 11),
        (inception.inception_v4_base, "Mixed_7d", 75),
        (inception.inception_resnet_v2_base, "Conv2d_7b_1x1", 75),
    ],
)
def test_smallest_image_of_a_layer(base, final_endpoint, smallest):
    net, _ = base(images(smallest), final_endpoint=final_endpoint)
    assert net.shape.as_list()[1:3] == [1, 1]
    with pytest.raises(errors.UserError, match=f"minimum is {smallest}x{smallest}"):
        base(images(smallest, smallest - 1), final_endpoint=final_endpoint)


@pytest.mark.parametrize(
    "builder",
    [inception.inception_v3, inception.inception_v4, inception.inception_resnet_v2],
    ids=["v3", "v4", "resnet_v2"],
)
def test_auxiliary_logits_need_larger_images(builder):
    with pytest.raises(errors.UserError, match="minimum is 107x107"):
        builder(images(106), num_classes=5)
    logits, end_points = builder(images(75), num_classes=5, create_aux_logits=False)
    assert logits.shape.as_list() == [2, 5]
    assert "AuxLogits" not in end_points


def test_window_of_inception_v1_needs_its_size():
    with pytest.raises(errors.UserError, match="minimum is 193x193"):
        inception.inception_v1(images(192), num_classes=5)
    logits, _ = inception.inception_v1(images(32), num_classes=5, global_pool=True)
    assert logits.shape.as_list() == [2, 5]


@pytest.mark.parametrize(
    "base", [inception.inception_v2_base, inception.inception_v3_base], ids=["v2", "v3"]
)
@pytest.mark.parametrize("depth_multiplier", [0, -0.5])
def test_multiplier_has_to_be_positive(base, depth_multiplier):
    with pytest.raises(errors.UserError, match=f"greater than zero; received {depth_multiplier}"):
        base(images(224), depth_multiplier=depth_multiplier)


@pytest.mark.parametrize(
    "builder", [inception.inception_v2, inception.inception_v3], ids=["v2", "v3"]
)
def test_multiplier_scales_every_layer_but_not_below_the_least(builder):
    _, end_points = builder(images(224), num_classes=5, scope="Whole")
    _, halved = builder(images(224), num_classes=5, depth_multiplier=0.5, scope="Half")
    assert halved["Mixed_5b"].shape[3] * 2 == end_points["Mixed_5b"].shape[3]
    builder(images(224), num_classes=5, depth_multiplier=0.01, min_depth=7, scope="Thin")
    weights = [v for v in tf.trainable_variables("Thin/Mixed") if v.op.name.endswith("weights")]
    assert {v.shape.as_list()[3] for v in weights} == {7}


@pytest.mark.parametrize(
    ("output_stride", "align_feature_maps", "mixed_6a", "pre_aux"),
    [(8, False, [33, 33], [33, 33]), (16, True, [19, 19], [19, 19])],
)
def test_output_stride(output_stride, align_feature_maps, mixed_6a, pre_aux):
    shapes = sizes_of_end_points(
        inception.inception_resnet_v2_base,
        299,
        final_endpoint="PreAuxLogits",
        output_stride=output_stride,
        align_feature_maps=align_feature_maps,
    )
    assert shapes["Mixed_6a"] == mixed_6a
    assert shapes["PreAuxLogits"] == pre_aux


@pytest.mark.parametrize("output_stride", [4, 32, None])
def test_unknown_output_stride(output_stride):
    with pytest.raises(errors.UserError, match=r"output_stride .*Allowed: 8, 16\."):
        inception.inception_resnet_v2_base(images(299), output_stride=output_stride)


def test_output_stride_of_8_ends_in_front_of_the_last_reduction():
    with pytest.raises(errors.UserError, match="final_endpoint 'Conv2d_7b_1x1'") as raised:
        inception.inception_resnet_v2_base(images(299), output_stride=8)
    assert "Mixed_7a" not in str(raised.value).partition("Allowed:")[2]


@pytest.mark.parametrize("size", [(330, 400), (None, None)], ids=["330x400", "unknown"])
def test_global_pool_of_inception_v3(size):
    """In the original, the auxiliary logits of 330x400 could not be squeezed."""
    pictures = tf.placeholder(tf.float32, [2, *size, 3])
    logits, end_points = inception.inception_v3(pictures, num_classes=5, global_pool=True)
    values = golden_weights.images([2, 330, 400, 3])
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        outputs = session.run([logits, end_points["AuxLogits"]], {pictures: values})
    assert [output.shape for output in outputs] == [(2, 5), (2, 5)]
    assert np.isfinite(outputs).all()


@pytest.mark.parametrize(
    ("builder", "size"),
    [(inception.inception_v1, 300), (inception.inception_v2, 500)],
    ids=["v1", "v2"],
)
def test_larger_images_get_the_mean_of_all_positions(builder, size):
    pictures = images(size)
    with slim.arg_scope(inception.inception_v1_arg_scope()):
        positions, _ = builder(
            pictures, num_classes=5, is_training=False, spatial_squeeze=False, scope="Net"
        )
        logits, _ = builder(pictures, num_classes=5, is_training=False, scope="Net", reuse=True)
    assert positions.shape.rank == 4
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        several, one = session.run(
            [positions, logits], {pictures: golden_weights.images([2, size, size, 3])}
        )
    np.testing.assert_allclose(one, several.mean((1, 2)), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    "builder",
    [inception.inception_v4, inception.inception_resnet_v2],
    ids=["v4", "resnet_v2"],
)
def test_unknown_image_size(builder):
    pictures = tf.placeholder(tf.float32, [2, None, None, 3])
    logits, end_points = builder(pictures, num_classes=5, create_aux_logits=False)
    assert logits.shape.as_list() == [2, 5]
    assert end_points["global_pool"].shape.as_list() == [2, 1, 1, 1536]
    with pytest.raises(errors.UserError, match="create_aux_logits=False"):
        builder(pictures, num_classes=5, scope="WithAux")


def test_channels_first():
    pictures = tf.placeholder(tf.float32, [2, 3, 64, 64])
    with slim.arg_scope(inception.inception_v2_arg_scope()):
        net, end_points = inception.inception_v2_base(
            pictures, use_separable_conv=False, data_format="NCHW"
        )
    assert net.shape.as_list() == [2, 1024, 2, 2]
    assert end_points["Mixed_4a"].shape.as_list() == [2, 576, 4, 4]
    channels_last = tf.placeholder(tf.float32, [2, 64, 64, 3])
    with slim.arg_scope(inception.inception_v2_arg_scope()):
        inception.inception_v2_base(channels_last, use_separable_conv=False, scope="Last")
    names = [[v.op.name, v.shape] for v in tf.global_variables("InceptionV2/")]
    expected = [
        [v.op.name.replace("Last", "InceptionV2"), v.shape] for v in tf.global_variables("Last/")
    ]
    assert names == expected


def test_channels_first_has_no_separable_convolution():
    with pytest.raises(errors.UserError, match="use_separable_conv=False"):
        inception.inception_v2_base(images(224), data_format="NCHW")
    with pytest.raises(errors.UserError, match=r"Allowed: NHWC, NCHW\."):
        inception.inception_v2_base(images(224), data_format="NWHC")


@pytest.mark.parametrize("base", [BASES["v1"], BASES["v2"]], ids=["v1", "v2"])
def test_without_the_root_block(base):
    net, end_points = base(images(28, channels=192), include_root_block=False)
    assert next(iter(end_points)) == "Mixed_3b"
    assert net.shape.as_list() == [2, 7, 7, 1024]
    with pytest.raises(errors.UserError, match="Allowed: Mixed_3b"):
        base(images(28), include_root_block=False, final_endpoint="Conv2d_1a_7x7")


@pytest.mark.parametrize(
    ("block", "name", "shape", "expected"),
    [
        ("block_inception_a", "BlockInceptionA", [35, 35, 384], [35, 35, 384]),
        ("block_reduction_a", "BlockReductionA", [35, 35, 384], [17, 17, 1024]),
        ("block_inception_b", "BlockInceptionB", [17, 17, 1024], [17, 17, 1024]),
        ("block_reduction_b", "BlockReductionB", [17, 17, 1024], [8, 8, 1536]),
        ("block_inception_c", "BlockInceptionC", [8, 8, 1536], [8, 8, 1536]),
    ],
)
def test_blocks_of_inception_v4(block, name, shape, expected):
    function = getattr(inception_v4, block)
    inputs = tf.placeholder(tf.float32, [2, *shape])
    assert function(inputs).shape.as_list() == [2, *expected]
    assert all(v.op.name.startswith(f"{name}/Branch_") for v in tf.global_variables())
    variables = tf.global_variables()
    function(inputs, scope=name, reuse=True)
    assert tf.global_variables() == variables


@pytest.mark.parametrize("name", ["block35", "block17", "block8"])
def test_blocks_of_inception_resnet_v2(name):
    net = tf.placeholder(tf.float32, [1, 9, 9, 16])
    block = getattr(inception_resnet_v2, name)
    outputs = {
        "none": block(net, scale=0.0, activation_fn=None, scope="Block"),
        "relu": block(net, scale=0.0, scope="Block", reuse=True),
        # What is added is bounded on both sides before the sum.
        "relu6": block(net, scale=1e6, activation_fn=tf.nn.relu6, scope="Block", reuse=True),
    }
    values = np.random.RandomState(0).uniform(-9, 9, [1, 9, 9, 16]).astype(np.float32)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        measured = session.run(outputs, {net: values})
    np.testing.assert_array_equal(measured["none"], values)
    np.testing.assert_array_equal(measured["relu"], np.maximum(values, 0))
    assert set(np.unique(measured["relu6"][values < -6])) == {0.0}
    assert measured["relu6"].max() <= 6


def test_tables_are_not_changed_by_building():
    before = repr(inception_v3._LAYERS)
    inception.inception_v3_base(images(299), depth_multiplier=0.5)
    assert repr(inception_v3._LAYERS) == before


def test_smallest_input_counts_the_branch_that_needs_most():
    layers = (
        modules.conv("first", depth=1, kernel=3, stride=2),
        modules.mixed(
            "second",
            modules.branch(modules.conv("a", depth=1, kernel=1)),
            modules.branch(modules.max_pool("b", kernel=5, stride=2, padding="VALID")),
        ),
    )
    assert modules.smallest_input(layers) == 9
    assert modules.smallest_input(layers, output=2) == 13
    assert modules.smallest_input(layers, until="first") == 1
