"""Decides layer by layer whether batch normalization trains, whatever the network asks for."""

import contextlib
import functools
from collections.abc import Callable, Iterator

from tf_slim.layers import layers

from slim_internal.ground import compat  # noqa: F401  # First of all: tf_slim needs its names.


@contextlib.contextmanager
def inference_where(frozen: Callable[[str], bool]) -> Iterator[None]:
    """Within it, some layers of batch normalization are built for inference.

    They normalize by their moving statistics and leave them as they are. (What follows a fully
    connected layer is built by another path and is not touched.)

    Args:
      frozen: Function of the name of a layer's moving mean.
    """
    with _training(lambda asked, name: asked and not frozen(name)):
        yield


@contextlib.contextmanager
def training_everywhere() -> Iterator[None]:
    """Within it, all layers are built to normalize by the statistics of the batch."""
    with _training(lambda asked, name: True):
        yield


@contextlib.contextmanager
def _training(decide: Callable[[bool, str], bool]) -> Iterator[None]:
    """Decides whether a layer trains, from what the network asks and the name of its mean."""
    layer_class = layers.normalization_layers.BatchNormalization
    original = layer_class.call

    @functools.wraps(original)
    def call(self, inputs, training=False):
        return original(self, inputs, training=decide(training, self.moving_mean.op.name))

    layer_class.call = call
    try:
        yield
    finally:
        layer_class.call = original
