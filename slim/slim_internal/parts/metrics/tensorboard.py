"""Results for TensorBoard."""

import pathlib
from collections.abc import Sequence

from slim_internal.ground.compat import tf
from slim_internal.parts.metrics.metric import Value
from slim_internal.parts.metrics.writers import Writer


class TensorBoard(Writer):
    """Writes each result that has a tag as a scalar summary into a folder's event file."""

    def __init__(self, folder: str | pathlib.Path):
        self._events = tf.summary.FileWriter(str(folder))

    def write(self, step: int, values: Sequence[Value]) -> None:
        """Adds the scalars that have a tag."""
        summary = tf.Summary(
            value=[
                tf.Summary.Value(tag=value.tag, simple_value=value.value)
                for value in values
                if value.tag
            ]
        )
        self._events.add_summary(summary, max(step, 0))
        self._events.flush()

    def add_merged(self, step: int, summaries: bytes) -> None:
        """Writes summaries that a graph has merged, such as histograms of weights."""
        self._events.add_summary(summaries, step)

    def close(self) -> None:
        """Closes the event file."""
        self._events.close()
