"""Builds the graph that classifies images, and restores its weights."""

from nets import nets_factory
from slim_internal.ground.compat import slim, tf
from slim_internal.parts.checkpoints import latest, restore
from slim_internal.parts.inference.description import ModelDescription


def build(
    model: ModelDescription, batch_size: int | None = None, is_training: bool = False
) -> tuple[tf.Tensor, tf.Tensor]:
    """Adds a network to the current graph.

    Returns:
      The placeholder for the input, float32 [batch, *model.example_shape], and the predictions,
      float32 [batch, num_classes], whose rows add up to 1.
    """
    images = tf.placeholder(tf.float32, (batch_size, *model.example_shape), name=model.input_name)
    network_fn = nets_factory.get_network_fn(
        model.model_name, num_classes=model.num_classes, is_training=is_training
    )
    logits, _ = network_fn(images)
    return images, tf.nn.softmax(logits, name=model.predictions_name)


def restore_weights(
    session,
    model: ModelDescription,
    checkpoint_path: str,
    moving_average_decay: float | None = None,
) -> str:
    """Restores every variable of the session's graph and returns the checkpoint they came from.

    Raises:
      UserError: If there is no checkpoint, or it does not fit the graph.
    """
    with session.graph.as_default():
        variables = (
            restore.moving_averages(slim.get_model_variables())
            if moving_average_decay
            else tf.global_variables()
        )
        plan = restore.plan(
            variables,
            latest.find(checkpoint_path),
            all_needed=True,
        )
        plan.restore(session)
    return plan.checkpoint_path
