"""Residual networks, version 1: K. He et al., arXiv:1512.03385.

A unit adds its input to what a bottleneck of three convolutions makes of it, and activates the
sum.
"""

from nets import resnet, resnet_utils
from nets.network import Checkpoint
from nets.resnet import NoOpScope as NoOpScope  # Part of the interface of this module.
from slim_internal.ground.compat import slim, tf

resnet_arg_scope = resnet_utils.resnet_arg_scope


@slim.add_arg_scope
def bottleneck(
    inputs,
    depth,
    depth_bottleneck,
    stride,
    rate=1,
    outputs_collections=None,
    scope=None,
    use_bounded_activations=False,
):
    """Builds a unit that is activated after the addition.

    Args:
      inputs: Tensor [batch, h, w, channels].
      depth: Number of channels of the result.
      depth_bottleneck: Number of channels within.
      stride: Ratio of the size of the inputs to that of the result.
      rate: Dilation of the 3 x 3 convolution.
      outputs_collections: Collection for the result.
      scope: Name of the unit.
      use_bounded_activations: Whether all values stay within -6 to 6, for quantized arithmetic.

    Returns:
      A tensor [batch, h / stride, w / stride, depth].
    """
    with tf.variable_scope(scope, "bottleneck_v1", [inputs]) as variable_scope:
        if inputs.shape[-1] == depth:
            shortcut = resnet_utils.subsample(inputs, stride, "shortcut")
        else:
            shortcut = slim.conv2d(
                inputs,
                depth,
                [1, 1],
                stride=stride,
                activation_fn=tf.nn.relu6 if use_bounded_activations else None,
                scope="shortcut",
            )
        residual = slim.conv2d(inputs, depth_bottleneck, [1, 1], stride=1, scope="conv1")
        residual = resnet_utils.conv2d_same(
            residual, depth_bottleneck, 3, stride, rate=rate, scope="conv2"
        )
        residual = slim.conv2d(residual, depth, [1, 1], stride=1, activation_fn=None, scope="conv3")
        if use_bounded_activations:
            residual = tf.clip_by_value(residual, -6.0, 6.0)
            output = tf.nn.relu6(shortcut + residual)
        else:
            output = tf.nn.relu(shortcut + residual)
        return slim.utils.collect_named_outputs(outputs_collections, variable_scope.name, output)


def resnet_v1(
    inputs,
    blocks,
    num_classes=None,
    is_training=True,
    global_pool=True,
    output_stride=None,
    include_root_block=True,
    spatial_squeeze=True,
    store_non_strided_activations=False,
    reuse=None,
    scope=None,
):
    """Builds a network of any blocks; see `resnet.resnet` for the arguments."""
    return resnet.resnet(
        "resnet_v1",
        bottleneck,
        inputs,
        blocks,
        num_classes=num_classes,
        is_training=is_training,
        global_pool=global_pool,
        output_stride=output_stride,
        include_root_block=include_root_block,
        spatial_squeeze=spatial_squeeze,
        store_non_strided_activations=store_non_strided_activations,
        reuse=reuse,
        scope=scope,
    )


resnet_v1.default_image_size = 224


def resnet_v1_block(scope, base_depth, num_units, stride):
    """Returns a stage of units of which the last one takes the stride.

    Args:
      scope: Name of the stage.
      base_depth: Number of channels of the bottleneck, a quarter of those of the result.
      num_units: Number of units.
      stride: Stride of the stage.
    """
    return resnet.block(bottleneck, scope, base_depth, num_units, stride)


def _resnet_v1(num_layers, *, inputs, min_base_depth, depth_multiplier, **arguments):
    """Builds one of the four networks from all arguments of its function.

    Two of the functions were published with `spatial_squeeze` in another place: each has a
    signature of its own.
    """
    blocks = resnet.blocks(num_layers, resnet_v1_block, depth_multiplier, min_base_depth)
    return resnet_v1(inputs, blocks, **arguments)


def resnet_v1_50(
    inputs,
    num_classes=None,
    is_training=True,
    global_pool=True,
    output_stride=None,
    spatial_squeeze=True,
    store_non_strided_activations=False,
    min_base_depth=8,
    depth_multiplier=1,
    reuse=None,
    scope="resnet_v1_50",
):
    """Builds ResNet-50; see `resnet.blocks` and `resnet.resnet` for the arguments."""
    return _resnet_v1(50, **locals())


def resnet_v1_101(
    inputs,
    num_classes=None,
    is_training=True,
    global_pool=True,
    output_stride=None,
    spatial_squeeze=True,
    store_non_strided_activations=False,
    min_base_depth=8,
    depth_multiplier=1,
    reuse=None,
    scope="resnet_v1_101",
):
    """Builds ResNet-101; see `resnet.blocks` and `resnet.resnet` for the arguments."""
    return _resnet_v1(101, **locals())


def resnet_v1_152(
    inputs,
    num_classes=None,
    is_training=True,
    global_pool=True,
    output_stride=None,
    store_non_strided_activations=False,
    spatial_squeeze=True,
    min_base_depth=8,
    depth_multiplier=1,
    reuse=None,
    scope="resnet_v1_152",
):
    """Builds ResNet-152; see `resnet.blocks` and `resnet.resnet` for the arguments."""
    return _resnet_v1(152, **locals())


def resnet_v1_200(
    inputs,
    num_classes=None,
    is_training=True,
    global_pool=True,
    output_stride=None,
    store_non_strided_activations=False,
    spatial_squeeze=True,
    min_base_depth=8,
    depth_multiplier=1,
    reuse=None,
    scope="resnet_v1_200",
):
    """Builds ResNet-200; see `resnet.blocks` and `resnet.resnet` for the arguments."""
    return _resnet_v1(200, **locals())


resnet_v1_50.default_image_size = resnet_v1.default_image_size
resnet_v1_101.default_image_size = resnet_v1.default_image_size
resnet_v1_152.default_image_size = resnet_v1.default_image_size
resnet_v1_200.default_image_size = resnet_v1.default_image_size

# Published weights -> their accuracy on ImageNet in percent, best guess and best five.
_ACCURACY = {
    "resnet_v1_50": (75.2, 92.2),
    "resnet_v1_101": (76.4, 92.9),
    "resnet_v1_152": (76.8, 93.2),
}


def _checkpoints(name):
    if name not in _ACCURACY:
        return ()
    top1, top5 = _ACCURACY[name]
    url = f"http://download.tensorflow.org/models/{name}_2016_08_28.tar.gz"
    return (Checkpoint(url=url, image_size=224, num_classes=1000, top1=top1, top5=top5),)


NETWORKS = tuple(
    resnet.network(
        builder,
        _checkpoints(builder.__name__),
        preprocessing="vgg",
        paper="arXiv:1512.03385",
        num_classes=1000,
    )
    for builder in (resnet_v1_50, resnet_v1_101, resnet_v1_152, resnet_v1_200)
)
