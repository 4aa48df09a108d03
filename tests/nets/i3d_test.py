"""What the networks for clips do beyond what the reference numbers of every network cover."""

import numpy as np
import pytest

from nets import i3d, i3d_utils, s3dg
from slim_internal.ground import errors
from slim_internal.ground.compat import slim, tf


@pytest.fixture(autouse=True)
def fresh_graph():
    with tf.Graph().as_default() as graph:
        yield graph


def clips(*shape):
    return tf.placeholder(tf.float32, shape or (2, 8, 32, 32, 3))


def names_of(kind):
    return {v.op.name.partition("/")[2] for v in tf.trainable_variables() if kind in v.op.name}


@pytest.mark.parametrize("base", [i3d.i3d_base, s3dg.s3dg_base], ids=["i3d", "s3dg"])
def test_final_endpoint(base):
    _, every = base(clips(), scope="All")
    for name in ("Conv2d_1a_7x7", "Conv2d_2c_3x3", "MaxPool_4a_3x3", "Mixed_4b"):
        net, end_points = base(clips(), final_endpoint=name, scope=f"Until_{name}")
        assert list(end_points) == list(every)[: len(end_points)]
        assert net is end_points[name]
    with pytest.raises(errors.UserError, match="Did you mean 'Mixed_5c'"):
        base(clips(), final_endpoint="Mixed_5d")


@pytest.mark.parametrize("base", [i3d.i3d_base, s3dg.s3dg_base], ids=["i3d", "s3dg"])
def test_wrong_rank(base):
    with pytest.raises(
        errors.UserError, match=r"rank 5, \[batch, frames, height, width, channels\]"
    ):
        base(clips(2, 32, 32, 3))


def test_split_convolutions_of_i3d():
    with slim.arg_scope(i3d.i3d_arg_scope(separable_conv3d=True)):
        net, _ = i3d.i3d_base(clips())
    assert net.shape.as_list() == [2, 1, 1, 1, 1024]
    shapes = {v.op.name: v.shape.as_list() for v in tf.trainable_variables()}
    assert shapes["InceptionV1/Conv2d_1a_7x7/weights"] == [7, 7, 7, 3, 64]
    assert "InceptionV1/Conv2d_1a_7x7/temporal/weights" not in shapes
    assert shapes["InceptionV1/Conv2d_2c_3x3/weights"] == [1, 3, 3, 64, 192]
    assert shapes["InceptionV1/Conv2d_2c_3x3/temporal/weights"] == [3, 1, 1, 192, 192]
    assert shapes["InceptionV1/Mixed_3b/Branch_1/Conv2d_0b_3x3/temporal/weights"][0] == 3


def test_renormalization_of_i3d():
    with slim.arg_scope(i3d.i3d_arg_scope(use_renorm=True)):
        i3d.i3d_base(clips(), final_endpoint="Conv2d_1a_7x7")
    names = {v.op.name.rpartition("/")[2] for v in tf.global_variables()}
    assert {"renorm_mean", "renorm_stddev"} <= names


def test_time_and_gates_start_where_asked():
    with slim.arg_scope(s3dg.s3dg_arg_scope()):
        s3dg.s3dg_base(clips(), temporal_conv_startat="Mixed_5b", gating_startat="Mixed_5c")
    assert {name.partition("/")[0] for name in names_of("temporal")} == {"Mixed_5b", "Mixed_5c"}
    assert {name.partition("/")[0] for name in names_of("self_gating")} == {"Mixed_5c"}


def test_neither_time_nor_gates():
    with slim.arg_scope(s3dg.s3dg_arg_scope()):
        s3dg.s3dg_base(clips(), temporal_conv_startat=None, gating_startat=None)
    assert not names_of("temporal")
    assert not names_of("self_gating")


@pytest.mark.parametrize(
    ("argument", "value", "message"),
    [
        ("first_temporal_kernel_size", 2, r"Allowed: 1, 3, 5, 7\."),
        ("temporal_conv_startat", "Conv2d_2b_1x1", "Did you mean 'Conv2d_2c_3x3'"),
        ("gating_startat", "Mixed_4a", "Allowed: Conv2d_2c_3x3, Mixed_3b"),
        ("depth_multiplier", 0, "greater than zero"),
        ("data_format", "NHWC", r"Allowed: NDHWC, NCDHW\."),
    ],
)
def test_arguments_that_are_not_allowed(argument, value, message):
    with pytest.raises(errors.UserError, match=message):
        s3dg.s3dg_base(clips(), **{argument: value})


@pytest.mark.parametrize("first_temporal_kernel_size", [1, 3, 5, 7])
def test_first_temporal_kernel_size(first_temporal_kernel_size):
    s3dg.s3dg_base(
        clips(),
        first_temporal_kernel_size=first_temporal_kernel_size,
        final_endpoint="Conv2d_1a_7x7",
    )
    assert tf.trainable_variables()[0].shape.as_list() == [first_temporal_kernel_size, 7, 7, 3, 64]


def test_channels_first():
    with slim.arg_scope(s3dg.s3dg_arg_scope()):
        s3dg.s3dg(clips(), num_classes=5, scope="Last")
        logits, end_points = s3dg.s3dg(
            clips(2, 3, 8, 32, 32), num_classes=5, data_format="NCDHW", scope="First"
        )
    assert logits.shape.as_list() == [2, 5]
    assert end_points["Conv2d_2c_3x3"].shape.as_list() == [2, 192, 4, 8, 8]
    assert end_points["Mixed_4f"].shape.as_list() == [2, 832, 2, 2, 2]
    last, first = (
        [[v.op.name.partition("/")[2], v.shape] for v in tf.global_variables(f"{scope}/")]
        for scope in ("Last", "First")
    )
    assert first == last


def test_multiplier_scales_every_layer_but_not_below_the_least():
    _, end_points = s3dg.s3dg_base(clips(), depth_multiplier=0.5, min_depth=16)
    assert end_points["Conv2d_1a_7x7"].shape[-1] == 32
    assert end_points["Mixed_3b"].shape[-1] == 32 + 64 + 16 + 16
    assert end_points["Mixed_5c"].shape[-1] == 512


@pytest.mark.parametrize("builder", [i3d.i3d, s3dg.s3dg], ids=["i3d", "s3dg"])
def test_positions_can_be_kept(builder):
    logits, _ = builder(clips(2, 8, 256, 256, 3), num_classes=5, spatial_squeeze=False)
    assert logits.shape.as_list() == [2, 2, 2, 5]


def test_temporal_convolution_starts_as_the_identity():
    net = clips(1, 5, 4, 4, 6)
    outputs = i3d_utils.conv3d_spatiotemporal(net, 6, [3, 1, 1], separable=True, scope="conv")
    kernel = next(v for v in tf.trainable_variables() if v.op.name == "conv/weights")
    values = np.random.RandomState(0).uniform(-1, 1, [1, 5, 4, 4, 6])
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        kernel.load(np.eye(6).reshape(1, 1, 1, 6, 6), session)
        measured = session.run(outputs, {net: values})
    np.testing.assert_allclose(measured, values, rtol=1e-6)


def test_strides_of_a_split_convolution():
    outputs = i3d_utils.conv3d_spatiotemporal(
        clips(1, 8, 16, 16, 3), 4, [3, 3, 3], stride=[2, 1, 4], separable=True, scope="conv"
    )
    assert outputs.shape.as_list() == [1, 4, 16, 4, 4]


@pytest.mark.parametrize("shape", [[3, 1, 1, 4, 5], [3, 3, 1, 4, 4], [3, 1, 4, 4]])
def test_centred_identity_of_a_wrong_shape(shape):
    with pytest.raises(errors.UserError, match=f"received \\[{shape[0]}, "):
        i3d_utils.center_initializer()(shape)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [([1, 3, 4, 9, 8], [2, 4, 7]), ([1, None, None, 1, 8], [2, 7, 1])],
)
def test_reduced_kernel_size(shape, expected):
    assert i3d_utils.reduced_kernel_size_3d(clips(*shape), [2, 7, 7]) == expected


def test_self_gating_weighs_channels_between_zero_and_one():
    net = clips(1, 2, 3, 3, 4)
    gated = s3dg.self_gating(net, scope="Layer")
    assert [v.op.name for v in tf.trainable_variables()] == [
        "Layer/self_gating/transformer_W/weights"
    ]
    values = np.random.RandomState(0).uniform(0.5, 1, [1, 2, 3, 3, 4])
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        measured = session.run(gated, {net: values})
    factors = measured / values
    np.testing.assert_allclose(
        factors, np.broadcast_to(factors[:, :1, :1, :1], factors.shape), 1e-5
    )
    assert 0 < factors.min() <= factors.max() < 1
