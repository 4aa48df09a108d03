"""Results for TensorBoard."""

import pathlib
from collections.abc import Sequence

from PIL import Image

from slim_internal.ground.compat import tf
from slim_internal.ground.images import pixels
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

    def forget_from(self, step: int) -> None:
        """Has TensorBoard forget what it knows of a step and later ones: they are made again."""
        self._events.add_session_log(tf.SessionLog(status=tf.SessionLog.START), step)

    def add_image(self, step: int, tag: str, image: Image.Image) -> None:
        """Writes an image."""
        encoded = pixels.encode(image, "PNG")
        shown = tf.Summary.Image(
            height=image.height, width=image.width, colorspace=3, encoded_image_string=encoded
        )
        summary = tf.Summary(value=[tf.Summary.Value(tag=tag, image=shown)])
        self._events.add_summary(summary, step)

    def add_merged(self, step: int, summaries: bytes) -> None:
        """Writes summaries that a graph has merged, such as histograms of weights."""
        self._events.add_summary(summaries, step)

    def close(self) -> None:
        """Closes the event file."""
        self._events.close()
