"""What the Inception networks share besides their modules: arg scope and classifiers."""

import errors
from compat import slim, tf
from nets import checks


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
      batch_norm_decay: Share of the moving averages that one step keeps.
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
