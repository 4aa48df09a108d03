"""The body that both versions of the residual network share, and the table of their depths."""

from nets import checks, resnet_utils
from nets.network import Network
from slim_internal.ground.compat import slim, tf

# Layers -> units in each of the four stages; table 1 of arXiv:1512.03385, 200 of arXiv:1603.05027.
_UNITS = {
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
    200: (3, 24, 36, 3),
}

# Of the four stages. The stride is in the last unit of a stage, where the paper has it in the
# first: maps of 56, 28, 14 and 7 pixels within the stages, 28, 14, 7 and 7 after them.
_BASE_DEPTHS = (64, 128, 256, 512)
_STRIDES = (2, 2, 2, 1)

# Strides of the first convolution and pooling.
_ROOT_STRIDE = 4


class NoOpScope:
    """A context that changes nothing, where an arg scope might stand."""

    def __enter__(self):
        return None

    def __exit__(self, exc_type, exc_value, traceback):
        return False


def block(bottleneck, scope, base_depth, num_units, stride):
    """Returns a stage of bottleneck units, of which the last one takes the stride."""
    unit = {"depth": 4 * base_depth, "depth_bottleneck": base_depth}
    strides = [1] * (num_units - 1) + [stride]
    return resnet_utils.Block(scope, bottleneck, [{**unit, "stride": s} for s in strides])


def blocks(num_layers, block_fn, depth_multiplier=1, min_base_depth=8):
    """Returns the four stages of the network with this many layers.

    Args:
      num_layers: 50, 101, 152 or 200.
      block_fn: Function of (scope, base_depth, num_units, stride) -> Block.
      depth_multiplier: Factor of the number of channels.
      min_base_depth: Smallest number of channels of a bottleneck.
    """
    checks.depth_multiplier(depth_multiplier)
    return [
        block_fn(
            f"block{stage}",
            base_depth=max(int(base_depth * depth_multiplier), min_base_depth),
            num_units=num_units,
            stride=stride,
        )
        for stage, (base_depth, num_units, stride) in enumerate(
            zip(_BASE_DEPTHS, _UNITS[num_layers], _STRIDES, strict=True), start=1
        )
    ]


def resnet(
    version,
    bottleneck,
    inputs,
    blocks,
    *,
    num_classes,
    is_training,
    global_pool,
    output_stride,
    include_root_block,
    spatial_squeeze,
    reuse,
    scope,
    store_non_strided_activations=False,
):
    """Builds a residual network.

    Args:
      version: "resnet_v1" (activation after the addition) or "resnet_v2" (before each layer).
      bottleneck: The unit function, whose outputs become end points.
      inputs: Images [batch, height, width, channels].
      blocks: The stages, a list of `resnet_utils.Block`.
      num_classes: Number of classes; None or 0 leaves the classifier out.
      is_training: Whether batch normalization uses the statistics of the batch; None leaves that
        to the arg scope.
      global_pool: Whether to average the features over all positions.
      output_stride: Ratio of the size of the images to that of the last map; None for 32.
      include_root_block: Whether to begin with a 7 x 7 convolution and a pooling, stride 4.
      spatial_squeeze: Whether to drop the height and width, both 1, of the logits.
      reuse: Whether to use the variables of an earlier call with the same scope.
      scope: Name of the variable scope.
      store_non_strided_activations: Whether blocks end before their last stride is taken.

    Returns:
      Logits [batch, num_classes], [batch, h, w, num_classes] unless squeezed, or the features
      [batch, h, w, depth] without a classifier; and a dict from names of layers to outputs.

    Raises:
      errors.UserError: for images of another rank, an output stride that cannot be reached, or
        more than one position to squeeze.
    """
    checks.images(inputs)
    if output_stride is not None:
        root_stride = _ROOT_STRIDE if include_root_block else 1
        allowed = resnet_utils.output_strides(blocks, root_stride)
        checks.choice("output_stride", output_stride, allowed)
        output_stride //= root_stride
    preactivated = version == "resnet_v2"
    with tf.variable_scope(scope, version, [inputs], reuse=reuse) as variable_scope:
        collection = f"{variable_scope.original_name_scope}_end_points"
        with (
            slim.arg_scope(
                [slim.conv2d, bottleneck, resnet_utils.stack_blocks_dense],
                outputs_collections=collection,
            ),
            NoOpScope()
            if is_training is None
            else slim.arg_scope([slim.batch_norm], is_training=is_training),
        ):
            net = _root(inputs, preactivated) if include_root_block else inputs
            net = resnet_utils.stack_blocks_dense(
                net, blocks, output_stride, store_non_strided_activations
            )
            if preactivated:
                net = slim.batch_norm(net, activation_fn=tf.nn.relu, scope="postnorm")
            end_points = slim.utils.convert_collection_to_dict(collection)
            return _classify(
                net, end_points, num_classes, global_pool, spatial_squeeze, variable_scope
            )


def _root(net, preactivated):
    """The first convolution; units that activate their input want it as it comes."""
    raw = {"activation_fn": None, "normalizer_fn": None} if preactivated else {}
    with slim.arg_scope([slim.conv2d], **raw):
        net = resnet_utils.conv2d_same(net, 64, 7, stride=2, scope="conv1")  # 112 x 112
    return slim.max_pool2d(net, [3, 3], stride=2, scope="pool1")  # 56 x 56


def _classify(net, end_points, num_classes, global_pool, spatial_squeeze, scope):
    if global_pool:
        net = end_points["global_pool"] = tf.reduce_mean(net, [1, 2], keepdims=True, name="pool5")
    if not num_classes:
        return net, end_points
    net = end_points[f"{scope.name}/logits"] = slim.conv2d(
        net, num_classes, [1, 1], activation_fn=None, normalizer_fn=None, scope="logits"
    )
    if spatial_squeeze:
        checks.one_position(
            net, "Average them with global_pool=True, or keep them with spatial_squeeze=False."
        )
        net = tf.squeeze(net, [1, 2], name="SpatialSqueeze")
        end_points[f"{scope.name}/spatial_squeeze"] = net
    end_points["predictions"] = slim.softmax(net, scope="predictions")
    return net, end_points


def network(builder, checkpoints=(), **facts):
    """Returns the record of a residual network."""
    name = builder.__name__
    return Network(
        name=name,
        builder=builder,
        arg_scope=resnet_utils.resnet_arg_scope,
        classifier_scopes=(f"{name}/logits",),
        first_conv=f"{name}/conv1/weights",
        min_image_size=1,
        checkpoints=checkpoints,
        **facts,
    )
