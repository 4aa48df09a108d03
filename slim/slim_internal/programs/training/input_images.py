"""Shows in TensorBoard what the network gets: a few augmented images with their labels."""

from collections.abc import Sequence

import numpy as np

from slim_internal.ground.compat import tf
from slim_internal.parts.metrics.tensorboard import TensorBoard
from slim_internal.parts.reports import contact_sheet, thumbnail
from slim_internal.programs.training.hooks import Hook, Timer

_TAG = "input_images"
_PER_ROW = 4
_CHANNELS = (1, 3, 4)  # Others cannot be shown, nor can opacity.


class InputImages(Hook):
    """Writes a sheet of the first images of a batch, with the first step at once.

    Args:
      images: Float tensor [images, height, width, channels], as the network gets them.
      labels: Integer tensor [images], after the offset.
      class_names: Names of the network's classes; empty if not known.
      board: Writes it.
      every_secs: Seconds between two sheets.
    """

    def __init__(
        self,
        images: tf.Tensor,
        labels: tf.Tensor,
        class_names: Sequence[str],
        board: TensorBoard,
        every_secs: float,
    ):
        self._tensors = {"input_images": images, "input_labels": labels}
        self._class_names = class_names
        self._board = board
        self._timer = Timer(every_secs=every_secs, at_once=True)

    def fetches(self, step):
        """Asks for the images if it is time."""
        return self._tensors if self._timer.due(step + 1) else {}

    def after_step(self, step):
        """Writes the images that were asked for."""
        images = step.values.get("input_images")
        if images is None:
            return
        self._timer.restart()
        if images.ndim == 4 and images.shape[-1] in _CHANNELS and np.isfinite(images).all():
            sheet = self.sheet(images[..., :3], step.values["input_labels"], step.number)
            self._board.add_image(step.number, _TAG, sheet)

    def sheet(self, images: np.ndarray, labels: np.ndarray, step: int):
        """Returns the images [images, height, width, channels] on one sheet."""
        shown = [
            thumbnail.of_prepared(image, self._name(label))
            for image, label in zip(images, labels, strict=True)
        ]
        rows = [shown[start : start + _PER_ROW] for start in range(0, len(shown), _PER_ROW)]
        return contact_sheet.draw("What the network gets", f"In step {step}, augmented", rows)

    def _name(self, label: int) -> str:
        known = 0 <= label < len(self._class_names)
        return self._class_names[label] if known else str(label)
