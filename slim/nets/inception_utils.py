"""What the Inception networks share besides their modules: arg scope and classifiers."""

from nets import checks
from slim_internal.ground import errors
from slim_internal.ground.compat import slim, tf


def inception_arg_scope(
    weight_decay=0.00004,
    use_batch_norm=True,
    batch_norm_decay=0.9997,
    batch_norm_epsilon=0.001,
    activation_fn=tf.nn.relu,
    batch_norm_updates_collections=tf.GraphKeys.UPDATE_OPS,
    batch_norm_scale=False,
):
    """Returns the arg scope of Inception v1 to v4.

    Args:
      weight_decay: Factor of the l2 penalty on the weights of all layers.
      use_batch_norm: Whether convolutions are followed by batch normalization instead of biases.
      batch_norm_decay: Fraction of the moving averages that one step keeps.
      batch_norm_epsilon: What is added to the variance before dividing by its root.
      activation_fn: What follows each convolution.
      batch_norm_updates_collections: Collection for the updates of the moving averages; None
        updates them in place.
      batch_norm_scale: Whether batch normalization learns a factor (gamma) besides its offset.
    """
    normalization = {}
    if use_batch_norm:
        normalization = batch_norm_arguments(
            batch_norm_decay, batch_norm_epsilon, batch_norm_updates_collections, batch_norm_scale
        )
    with slim.arg_scope(
        [slim.conv2d, slim.fully_connected],
        weights_regularizer=slim.l2_regularizer(weight_decay),
    ):
        with slim.arg_scope(
            [slim.conv2d],
            weights_initializer=slim.variance_scaling_initializer(),
            activation_fn=activation_fn,
            **normalization,
        ) as scope:
            return scope


def batch_norm_arguments(decay, epsilon, updates_collections, scale) -> dict:
    """Returns the arguments that make a convolution use batch normalization."""
    return {
        "normalizer_fn": slim.batch_norm,
        "normalizer_params": {
            "decay": decay,
            "epsilon": epsilon,
            "updates_collections": updates_collections,
            "fused": None,  # Where the shape of the input allows it.
            "scale": scale,
        },
    }


def pool(net, end_points, *, kernel, stride, scope, end_point, global_pool):
    """Averages the last feature map, as the classifiers of Inception v1 to v3 do.

    Args:
      net: Feature map [batch, height, width, channels].
      end_points: Gets the result, as `end_point` or as "global_pool".
      kernel: Height and width of the window.
      stride: Pixels from one window to the next, on maps that are larger.
      scope: Name of the pooling layer.
      end_point: What the result is called.
      global_pool: Whether to average over the whole map instead of a window.

    Returns:
      [batch, h, w, channels]; h and w are 1 if the window covers the map.
    """
    if global_pool:
        net = tf.reduce_mean(net, [1, 2], keepdims=True, name="global_pool")
        end_points["global_pool"] = net
    else:
        net = end_points[end_point] = slim.avg_pool2d(net, kernel, stride=stride, scope=scope)
    return net


def reduced_kernel_size(net, kernel):
    """Returns a window no larger than the feature map, as far as the map's size is known.

    Args:
      net: Feature map [batch, ..., channels].
      kernel: Size of the window along each axis between these two.
    """
    sizes = net.shape.as_list()[1:-1]
    return [
        window if size is None else min(size, window)
        for size, window in zip(sizes, kernel, strict=True)
    ]


def class_scores(net, num_classes, *, scope, spatial_squeeze, **kwargs):
    """Classifies each position of a feature map by a 1x1 convolution.

    Args:
      net: Feature map [batch, h, w, channels].
      num_classes: Number of classes.
      scope: Name of the convolution.
      spatial_squeeze: Whether to give one prediction for each input, the mean of all positions,
        instead of keeping the axes of height and width.
      **kwargs: Further arguments of the convolution.
    """
    logits = slim.conv2d(
        net, num_classes, 1, activation_fn=None, normalizer_fn=None, scope=scope, **kwargs
    )
    return drop_positions(logits) if spatial_squeeze else logits


def drop_positions(logits):
    """Returns the mean over the positions of [batch, h, w, num_classes]: [batch, num_classes]."""
    if logits.shape.as_list()[1:3] == [1, 1]:
        return tf.squeeze(logits, [1, 2], name="SpatialSqueeze")
    return tf.reduce_mean(logits, [1, 2], name="SpatialMean")


def pooled_classifier(
    net,
    end_points,
    num_classes,
    *,
    window,
    dropout_keep_prob,
    prediction_fn,
    spatial_squeeze,
    global_pool,
):
    """Adds the classifier of Inception v2 and v3.

    Args:
      net: Feature map [batch, height, width, channels].
      end_points: Gets "AvgPool_1a" or "global_pool", "PreLogits", "Logits" and "Predictions".
      num_classes: Number of classes; None or 0 stops after the pooling.
      window: Height and width to average over; a smaller map is averaged as a whole.
      dropout_keep_prob: Fraction of activations that dropout keeps.
      prediction_fn: Turns logits into predictions.
      spatial_squeeze: Whether to give one prediction for each input, the mean of all positions,
        instead of keeping the axes of height and width.
      global_pool: Whether to average over the whole map, whatever its size.

    Returns:
      Logits, or the pooled features [batch, h, w, channels] without a classifier.
    """
    with tf.variable_scope("Logits"):
        height, width = kernel = reduced_kernel_size(net, [window, window])
        net = pool(
            net,
            end_points,
            kernel=kernel,
            stride=2,
            scope=f"AvgPool_1a_{height}x{width}",
            end_point="AvgPool_1a",
            global_pool=global_pool,
        )
        if not num_classes:
            return net
        net = end_points["PreLogits"] = slim.dropout(net, dropout_keep_prob, scope="Dropout_1b")
        logits = end_points["Logits"] = class_scores(
            net, num_classes, scope="Conv2d_1c_1x1", spatial_squeeze=spatial_squeeze
        )
    end_points["Predictions"] = prediction_fn(logits, scope="Predictions")
    return logits


def dense_classifier(net, end_points, num_classes, *, dropout_keep_prob, pool_scope, dropout_scope):
    """Adds the classifier of Inception v4 and Inception-ResNet v2: a mean, then dense scores.

    Args:
      net: Feature map [batch, height, width, channels].
      end_points: Gets "global_pool", "PreLogitsFlatten", "Logits" and "Predictions".
      num_classes: Number of classes; None or 0 stops after the mean.
      dropout_keep_prob: Fraction of activations that dropout keeps.
      pool_scope: Name of the pooling layer.
      dropout_scope: Name of the dropout layer.

    Returns:
      Logits [batch, num_classes], or the mean [batch, 1, 1, channels] without a classifier.
    """
    with tf.variable_scope("Logits"):
        size = net.shape.as_list()[1:3]
        if None in size:
            net = tf.reduce_mean(net, [1, 2], keepdims=True, name="global_pool")
        else:
            net = slim.avg_pool2d(net, size, scope=pool_scope)
        end_points["global_pool"] = net
        if not num_classes:
            return net
        net = slim.dropout(net, dropout_keep_prob, scope=dropout_scope)
        net = end_points["PreLogitsFlatten"] = slim.flatten(net, scope="PreLogitsFlatten")
        logits = slim.fully_connected(net, num_classes, activation_fn=None, scope="Logits")
        end_points["Logits"] = logits
        end_points["Predictions"] = tf.nn.softmax(logits, name="Predictions")
    return logits


def check_aux_images(inputs, minimum: int) -> None:
    """Requires images that the auxiliary classifiers of `dense_aux_logits` can be built for.

    Args:
      inputs: Images [batch, height, width, channels].
      minimum: Least height and width.

    Raises:
      errors.UserError: for images of another rank, too small or of unknown size.
    """
    checks.images(inputs, minimum)
    if not inputs.shape[1:3].is_fully_defined():
        raise errors.UserError(
            "The kernels of the auxiliary classifier depend on the image size, which is unknown. "
            "Give the images a static height and width, or pass create_aux_logits=False."
        )


def dense_aux_logits(net, num_classes, *, conv_scope, scope):
    """Returns the auxiliary logits [batch, num_classes] of Inception v4 and Inception-ResNet v2.

    Args:
      net: Feature map [batch, height, width, channels] that they are made from, 17 x 17.
      num_classes: Number of classes.
      conv_scope: Name of the convolution that covers the whole map.
      scope: Name of the dense layer.
    """
    with tf.variable_scope("AuxLogits"):
        net = slim.avg_pool2d(net, 5, stride=3, scope="AvgPool_1a_5x5")  # 5 x 5
        net = slim.conv2d(net, 128, 1, scope="Conv2d_1b_1x1")
        size = net.shape.as_list()[1:3]
        net = slim.conv2d(net, 768, size, padding="VALID", scope=conv_scope)  # 1 x 1
        return slim.fully_connected(slim.flatten(net), num_classes, activation_fn=None, scope=scope)
