"""The examples that tell most: the most certain mistakes and the least certain hits."""

from collections.abc import Sequence

import numpy as np

from datasets.storage.layout import Layout
from slim_internal.parts.metrics.metric import Outputs
from slim_internal.parts.reports.kept_examples import Answer, KeptExamples
from slim_internal.parts.reports.thumbnail import Thumbnail


class TellingExamples:
    """Keeps the most telling examples of a split, whatever its size.

    Args:
      count: How many of each kind to keep.
      layout: Where the parts of an example stand, if not where this library puts them.
    """

    def __init__(self, count: int, layout: Layout | None = None):
        self._mistakes = KeptExamples(count, layout)
        self._hits = KeptExamples(count, layout)
        self._seen = 0

    def add(self, logits: np.ndarray, labels: np.ndarray, records: Sequence[bytes]) -> None:
        """Adds a batch.

        Args:
          logits: [batch, classes], logarithms of probabilities up to a constant for each row.
          labels: [batch].
          records: The serialized examples.
        """
        outputs = Outputs(logits, labels)
        with np.errstate(invalid="ignore"):  # The caller complains of what is not finite.
            confidences = outputs.confidences
        rows = zip(labels, outputs.predicted, confidences, records, strict=True)
        for number, (label, predicted, confidence, record) in enumerate(rows, start=self._seen):
            kept, sign = (self._hits, -1) if label == predicted else (self._mistakes, 1)
            confidence = float(confidence)
            rank = sign * confidence
            kept.offer(Answer(rank, -number, int(label), int(predicted), confidence, record))
        self._seen += len(labels)

    def mistakes(self, class_names: Sequence[str]) -> list[Thumbnail]:
        """Returns the wrong answers that the network was most certain of, these first."""
        return self._mistakes.thumbnails(class_names)

    def hits(self, class_names: Sequence[str]) -> list[Thumbnail]:
        """Returns the right answers that it was least certain of, these first."""
        return self._hits.thumbnails(class_names)
