"""AlexNet, OverFeat and VGG on images of other sizes than their own."""

import pytest

from nets import alexnet, overfeat, vgg
from slim_internal.ground import errors
from slim_internal.ground.compat import slim, tf

NETWORKS = [
    (alexnet.alexnet_v2, alexnet.alexnet_v2_arg_scope, 300, 4),
    (overfeat.overfeat, overfeat.overfeat_arg_scope, 281, 2),
    (vgg.vgg_a, vgg.vgg_arg_scope, 256, 2),
    (vgg.vgg_16, vgg.vgg_arg_scope, 256, 2),
]
IDS = [row[0].__name__ for row in NETWORKS]


@pytest.fixture(autouse=True)
def fresh_graph():
    with tf.Graph().as_default():
        yield


@pytest.mark.parametrize(("builder", "arg_scope", "size", "positions"), NETWORKS, ids=IDS)
def test_larger_images(builder, arg_scope, size, positions):
    images = tf.placeholder(tf.float32, [1, size, size, 3])
    with slim.arg_scope(arg_scope()):
        with pytest.raises(errors.UserError, match=f"{positions}x{positions} predictions"):
            builder(images, 10, scope="one")
        unsqueezed, _ = builder(images, 10, spatial_squeeze=False, scope="two")
        pooled, end_points = builder(images, 10, global_pool=True, scope="three")
    assert unsqueezed.shape.as_list() == [1, positions, positions, 10]
    assert pooled.shape.as_list() == [1, 10]
    assert end_points["global_pool"].shape.as_list() == [1, 1, 1, 4096]


@pytest.mark.parametrize(("builder", "arg_scope", "size", "positions"), NETWORKS, ids=IDS)
def test_unknown_size(builder, arg_scope, size, positions):
    images = tf.placeholder(tf.float32, [None, None, None, 3])
    with slim.arg_scope(arg_scope()):
        logits, _ = builder(images, 10)
    assert logits.shape.as_list() == [None, 10]


def test_padding_of_vgg():
    with slim.arg_scope(vgg.vgg_arg_scope()):
        logits, _ = vgg.vgg_a(tf.zeros([1, 32, 32, 3]), 10, fc_conv_padding="SAME")
        assert logits.shape.as_list() == [1, 10]
        with pytest.raises(errors.UserError, match="minimum is 224x224"):
            vgg.vgg_a(tf.zeros([1, 32, 32, 3]), 10)
        with pytest.raises(errors.UserError, match=r"'FULL'\. Allowed: VALID, SAME\."):
            vgg.vgg_a(tf.zeros([1, 224, 224, 3]), 10, fc_conv_padding="FULL")
