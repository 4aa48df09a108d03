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
    layer_class = layers.normalization_layers.BatchNormalization
    original = layer_class.call

    @functools.wraps(original)
    def call(self, inputs, training=False):
        return original(self, inputs, training=training and not frozen(self.moving_mean.op.name))

    layer_class.call = call
    try:
        yield
    finally:
        layer_class.call = original
