"""Takes the weights of a checkpoint into the graph as constants, batch normalization folded."""

from collections.abc import Mapping

import numpy as np

from deployment import sessions
from slim_internal.ground.compat import tf
from slim_internal.ground.errors import UserError
from slim_internal.parts.inference import folding, rounding, sample_images
from slim_internal.parts.inference import graph as inference_graph
from slim_internal.parts.inference.calibration import Examples
from slim_internal.parts.inference.description import ModelDescription
from slim_internal.parts.inference.formats.format import Frozen, Predictor, Probe


def freeze(
    model: ModelDescription,
    checkpoint_path: str | None,
    *,
    moving_average_decay: float | None = None,
    batch_size: int | None = None,
    is_training: bool = False,
    as_text: bool = False,
    examples: Examples | None = None,
    quantize: bool = False,
) -> Frozen:
    """Builds a network and freezes its weights into the graph.

    Args:
      model: What to build.
      checkpoint_path: A checkpoint, or a folder whose newest one is taken; None leaves the
        variables in the graph.
      moving_average_decay: Given when training kept moving averages: takes these.
      batch_size: Fixed batch size; None for any number of images.
      is_training: Whether to build the graph as for training.
      as_text: Whether to write it as text, in a format that has one.
      examples: What to compare files on; a few photographs unless given.
      quantize: Whether to round as 8-bit arithmetic does, to the ranges of the checkpoint; those
        that it lacks are measured on the same images.

    Raises:
      UserError: If there is no checkpoint, it does not fit the graph, or holds weights that are
        not finite.
    """
    measured, rounder = {}, None
    if quantize:
        rounder = rounding.to_ranges_of(None)
        if checkpoint_path:
            measured = rounding.measured_ranges(
                model, _images(model, examples), checkpoint_path, moving_average_decay
            )
    probe = None
    with tf.Graph().as_default() as graph:
        images, predictions = inference_graph.build(model, batch_size, is_training, rounder)
        graph_def = graph.as_graph_def()
        if checkpoint_path:
            with tf.Session(config=sessions.config()) as session:
                checkpoint_path = inference_graph.restore_weights(
                    session, predictions, checkpoint_path, moving_average_decay
                )
                _assign(session, measured)
                if not is_training:  # Dropout and batch norm say something else each time.
                    predict = session.make_callable(predictions, [images])
                    probe = _probe(Predictor(model, batch_size, predict), examples, quantize)
                    del predict  # It would keep the session.
                graph_def, values = folding.taken(session, predictions.op.name)
            del session  # And all of its weights.
            if not is_training:
                graph_def = folding.fold(graph_def, values, predictions.op.name)
            folding.insert(graph_def, values)
    # TensorFlow gives no operation a name that differs from another's by its case alone, and some
    # networks have a scope "Predictions".
    for node in graph_def.node:
        if node.name == predictions.op.name:
            node.name = model.predictions_name
    return Frozen(
        model=model,
        graph_def=graph_def,
        checkpoint_path=checkpoint_path or None,
        batch_size=batch_size,
        as_text=as_text,
        probe=probe,
        quantized=quantize,
    )


def _images(model: ModelDescription, examples: Examples | None) -> np.ndarray:
    return sample_images.prepared(model) if examples is None else examples.images


def _assign(session: tf.Session, values: Mapping[str, float]) -> None:
    for variable in tf.global_variables():
        if variable.op.name in values:
            initializer = variable.initializer
            session.run(initializer, {initializer.inputs[1]: values[variable.op.name]})


def _probe(predictor: Predictor, examples: Examples | None, rounded: bool) -> Probe:
    images = _images(predictor.model, examples)
    probabilities = predictor.predict_all(images)
    if not np.isfinite(probabilities).all():
        raise UserError(
            "The weights give outputs that are not finite numbers; they cannot be exported."
        )
    if examples is None:
        return Probe(images, probabilities, rounded=rounded)
    return Probe(images, probabilities, examples.labels, rounded, examples.calibration)
