"""Builds the graph that classifies images, and restores its weights.

Evaluation, export and classification build it here, so that all three run the same network.
"""

import contextlib
from collections.abc import Callable, Iterator

from deployment import sessions
from nets import nets_factory
from slim_internal.ground.compat import slim, tf
from slim_internal.parts.checkpoints import latest, restore
from slim_internal.parts.inference.description import ModelDescription
from slim_internal.parts.inference.formats.format import Predictor
from slim_internal.parts.quantization import ranges

# Function of images and logits that returns the logits of the network as it is rounded.
Rounding = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


def logits(
    model: ModelDescription,
    images: tf.Tensor,
    *,
    is_training: bool = False,
    rounding: Rounding | None = None,
) -> tf.Tensor:
    """Adds a network to the current graph.

    Args:
      model: Which network.
      images: Preprocessed images, float32 [batch, *model.example_shape].
      is_training: Whether to build it as for training.
      rounding: How 8-bit arithmetic is simulated; None for floats.

    Returns:
      The logits, float32 [batch, num_classes].
    """
    network_fn = nets_factory.get_network_fn(
        model.model_name, num_classes=model.num_classes, is_training=is_training
    )
    scores = network_fn(images)[0]
    return scores if rounding is None else rounding(images, scores)


def build(
    model: ModelDescription,
    batch_size: int | None = None,
    is_training: bool = False,
    rounding: Rounding | None = None,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Adds a network with a placeholder for its input to the current graph.

    Returns:
      The placeholder, float32 [batch, *model.example_shape], and the predictions,
      float32 [batch, num_classes], whose rows add up to 1.
    """
    images = tf.placeholder(tf.float32, (batch_size, *model.example_shape), name=model.input_name)
    scores = logits(model, images, is_training=is_training, rounding=rounding)
    return images, tf.nn.softmax(scores, name=model.predictions_name)


def plan(
    outputs: tf.Tensor, checkpoint_path: str, moving_average_decay: float | None = None
) -> restore.RestorePlan:
    """Plans how to restore every variable that outputs depend on.

    Others may be missing: the auxiliary classifier of Inception v3 has a variable that is named by
    the size of the images.

    Args:
      outputs: What is going to be computed.
      checkpoint_path: A checkpoint, or a folder whose newest one is taken.
      moving_average_decay: Given when training kept moving averages: restores these.

    Raises:
      UserError: If there is no checkpoint, or it does not fit the graph.
    """
    checkpoint_path = latest.find(checkpoint_path)
    used = operations_above(outputs)
    if moving_average_decay:
        saved = restore.saved_shapes(checkpoint_path)
        wanted = restore.moving_averages(slim.get_model_variables(), saved)
        wanted |= {each.op.name: each for each in tf.get_collection(ranges.VARIABLES)}
    else:
        wanted = {variable.op.name: variable for variable in tf.global_variables()}
    known = {variable.op.name for variable in ranges.saved_in(checkpoint_path)}
    unknown = {variable.op.name for variable in tf.get_collection(ranges.VARIABLES)} - known
    unused = [
        name for name, variable in wanted.items() if variable.op not in used or name in unknown
    ]
    # Excluded, not left out: the message about others does not list them as extra then.
    return restore.plan(wanted, checkpoint_path, exclude_scopes=unused, all_needed=True)


def operations_above(tensor: tf.Tensor) -> set[tf.Operation]:
    """Returns the operations that have to run to compute a tensor, its own included."""
    found: set[tf.Operation] = set()
    pending = [tensor.op]
    while pending:
        operation = pending.pop()
        if operation not in found:
            found.add(operation)
            pending += [each.op for each in operation.inputs] + list(operation.control_inputs)
    return found


def restore_weights(
    session: tf.Session,
    outputs: tf.Tensor,
    checkpoint_path: str,
    moving_average_decay: float | None = None,
) -> str:
    """Restores every variable that outputs depend on; returns the checkpoint they came from.

    Raises:
      UserError: If there is no checkpoint, or it does not fit the graph.
    """
    with session.graph.as_default():
        found = plan(outputs, checkpoint_path, moving_average_decay)
        found.restore(session)
    return found.checkpoint_path


@contextlib.contextmanager
def open_checkpoint(
    model: ModelDescription, checkpoint_path: str, moving_average_decay: float | None = None
) -> Iterator[Predictor]:
    """Opens a checkpoint in a session of its own, as `open_network` opens a file.

    Raises:
      UserError: If there is no checkpoint, or it does not fit the graph.
    """
    with tf.Graph().as_default(), tf.Session(config=sessions.config()) as session:
        images, predictions = build(model)
        restore_weights(session, predictions, checkpoint_path, moving_average_decay)
        yield Predictor(model, None, session.make_callable(predictions, [images]))
