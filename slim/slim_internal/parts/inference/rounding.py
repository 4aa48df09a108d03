"""Rounds a network to the ranges of a checkpoint, and measures those that it lacks."""

import logging
from collections.abc import Collection

import numpy as np

from deployment import sessions
from slim_internal.ground.compat import tf
from slim_internal.ground.errors import UserError
from slim_internal.parts.checkpoints import latest, restore
from slim_internal.parts.inference import graph as inference_graph
from slim_internal.parts.inference.description import ModelDescription
from slim_internal.parts.quantization import simulation

_LOG = logging.getLogger(__name__)

_BATCH_SIZE = 32
_MOST_NAMES = 3  # In a message.


def to_ranges_of(checkpoint_path: str | None) -> inference_graph.Rounding:
    """Returns the rounding to the ranges of a checkpoint; what it has no range for stays float.

    Args:
      checkpoint_path: A checkpoint, or a folder whose newest one is taken; None if the variables
        of the graph get their values later.
    """
    known = None
    if checkpoint_path is not None:
        checkpoint_path = latest.find(checkpoint_path)
        known = restore.saved_shapes(checkpoint_path)

    def rounding(images: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        rounded, unknown = simulation.infer(images, logits, known)
        if unknown:
            _require_some(checkpoint_path, known)
            _LOG.warning("Not rounded, for %s has no range: %s", checkpoint_path, _short(unknown))
        return rounded

    return rounding


def measured_ranges(
    model: ModelDescription,
    images: np.ndarray,
    checkpoint_path: str,
    moving_average_decay: float | None = None,
) -> dict[str, float]:
    """Returns the ends of the ranges that a checkpoint lacks, by the names of their variables.

    Args:
      model: The network.
      images: Preprocessed images to measure on, float32 [images, *model.example_shape].
      checkpoint_path: A checkpoint, or a folder whose newest one is taken.
      moving_average_decay: Given when training kept moving averages: uses these.

    Raises:
      UserError: If the checkpoint has no range at all, or does not fit.
    """
    checkpoint_path = latest.find(checkpoint_path)
    saved = restore.saved_shapes(checkpoint_path)
    values: dict[str, float] = {}
    with tf.Graph().as_default(), tf.Session(config=sessions.config()) as session:
        found = {}

        def rounding(placeholder, logits):
            found.update(simulation.measure(placeholder, logits))
            return logits

        placeholder, predictions = inference_graph.build(model, rounding=rounding)
        unknown = {name: ends for name, ends in found.items() if f"{name}/min" not in saved}
        if not unknown:
            return {}
        _require_some(checkpoint_path, saved)
        session.run(tf.global_variables_initializer())
        inference_graph.restore_weights(session, predictions, checkpoint_path, moving_average_decay)
        for start in range(0, len(images), _BATCH_SIZE):
            batch = {placeholder: images[start : start + _BATCH_SIZE]}
            for name, (low, high) in session.run(unknown, batch).items():
                values[f"{name}/min"] = min(low, values.get(f"{name}/min", low))
                values[f"{name}/max"] = max(high, values.get(f"{name}/max", high))
    _LOG.warning(
        "Measured on %d images, for %s has no range: %s",
        *(len(images), checkpoint_path, _short(list(unknown))),
    )
    return values


def _require_some(checkpoint_path: str, saved: Collection[str]) -> None:
    if not any(name.endswith("_quant/max") for name in saved):
        raise UserError(
            f"--quantize needs the ranges of activations, which {checkpoint_path} does not hold:"
            " train it with --quantize_delay, or leave out --quantize."
        )


def _short(names: list[str]) -> str:
    more = len(names) - _MOST_NAMES
    return f"{', '.join(names[:_MOST_NAMES])}{f' and {more} more' if more > 0 else ''}"
