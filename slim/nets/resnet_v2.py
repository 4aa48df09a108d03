"""Residual networks, version 2: K. He et al., arXiv:1603.05027.

A unit normalizes and activates its input first, so that the sum runs through the network as it is.
"""

from nets import resnet, resnet_utils
from nets.network import Checkpoint
from slim_internal.ground.compat import slim, tf

resnet_arg_scope = resnet_utils.resnet_arg_scope


@slim.add_arg_scope
def bottleneck(
    inputs, depth, depth_bottleneck, stride, rate=1, outputs_collections=None, scope=None
):
    """Builds a unit that is activated before its convolutions.

    Args:
      inputs: Tensor [batch, h, w, channels].
      depth: Number of channels of the result.
      depth_bottleneck: Number of channels within.
      stride: Ratio of the size of the inputs to that of the result.
      rate: Dilation of the 3 x 3 convolution.
      outputs_collections: Collection for the result.
      scope: Name of the unit.

    Returns:
      A tensor [batch, h / stride, w / stride, depth].
    """
    with tf.variable_scope(scope, "bottleneck_v2", [inputs]) as variable_scope:
        preact = slim.batch_norm(inputs, activation_fn=tf.nn.relu, scope="preact")
        raw = {"normalizer_fn": None, "activation_fn": None}
        if inputs.shape[-1] == depth:
            shortcut = resnet_utils.subsample(inputs, stride, "shortcut")
        else:
            shortcut = slim.conv2d(preact, depth, [1, 1], stride=stride, scope="shortcut", **raw)
        residual = slim.conv2d(preact, depth_bottleneck, [1, 1], stride=1, scope="conv1")
        residual = resnet_utils.conv2d_same(
            residual, depth_bottleneck, 3, stride, rate=rate, scope="conv2"
        )
        residual = slim.conv2d(residual, depth, [1, 1], stride=1, scope="conv3", **raw)
        output = shortcut + residual
        return slim.utils.collect_named_outputs(outputs_collections, variable_scope.name, output)


def resnet_v2(
    inputs,
    blocks,
    num_classes=None,
    is_training=True,
    global_pool=True,
    output_stride=None,
    include_root_block=True,
    spatial_squeeze=True,
    reuse=None,
    scope=None,
):
    """Builds a network of any blocks; see `resnet.resnet` for the arguments."""
    return resnet.resnet(
        "resnet_v2",
        bottleneck,
        inputs,
        blocks,
        num_classes=num_classes,
        is_training=is_training,
        global_pool=global_pool,
        output_stride=output_stride,
        include_root_block=include_root_block,
        spatial_squeeze=spatial_squeeze,
        reuse=reuse,
        scope=scope,
    )


resnet_v2.default_image_size = 224


def resnet_v2_block(scope, base_depth, num_units, stride):
    """Returns a stage of units of which the last one takes the stride.

    Args:
      scope: Name of the stage.
      base_depth: Number of channels of the bottleneck, a quarter of those of the result.
      num_units: Number of units.
      stride: Stride of the stage.
    """
    return resnet.block(bottleneck, scope, base_depth, num_units, stride)


def _variant(num_layers):
    """Returns the function that builds the network with this many layers."""
    name = f"resnet_v2_{num_layers}"

    def network(
        inputs,
        num_classes=None,
        is_training=True,
        global_pool=True,
        output_stride=None,
        spatial_squeeze=True,
        reuse=None,
        scope=name,
    ):
        return resnet_v2(
            inputs,
            resnet.blocks(num_layers, resnet_v2_block),
            num_classes,
            is_training,
            global_pool=global_pool,
            output_stride=output_stride,
            spatial_squeeze=spatial_squeeze,
            reuse=reuse,
            scope=scope,
        )

    network.__name__ = network.__qualname__ = name
    network.__doc__ = f"Builds ResNet-{num_layers}; see `resnet.resnet` for the arguments."
    network.default_image_size = resnet_v2.default_image_size
    return network


resnet_v2_50 = _variant(50)
resnet_v2_101 = _variant(101)
resnet_v2_152 = _variant(152)
resnet_v2_200 = _variant(200)

# Published weights -> their accuracy on ImageNet in percent, best guess and best five.
_ACCURACY = {
    "resnet_v2_50": (75.6, 92.8),
    "resnet_v2_101": (77.0, 93.7),
    "resnet_v2_152": (77.8, 94.1),
}


def _checkpoints(name):
    if name not in _ACCURACY:
        return ()
    top1, top5 = _ACCURACY[name]
    url = f"http://download.tensorflow.org/models/{name}_2017_04_14.tar.gz"
    return (Checkpoint(url=url, image_size=299, num_classes=1001, top1=top1, top5=top5),)


NETWORKS = tuple(
    resnet.network(
        builder,
        _checkpoints(builder.__name__),
        preprocessing="inception",
        paper="arXiv:1603.05027",
        num_classes=1001,
    )
    for builder in (resnet_v2_50, resnet_v2_101, resnet_v2_152, resnet_v2_200)
)
