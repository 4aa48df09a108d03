"""The examples that tell most: the most certain mistakes and the least certain hits."""

import contextlib
import dataclasses
import heapq
from collections.abc import Sequence

import numpy as np

from datasets.storage.layout import Layout
from slim_internal.parts.metrics.metric import Outputs
from slim_internal.parts.reports import stored_example, thumbnail
from slim_internal.parts.reports.thumbnail import Thumbnail


@dataclasses.dataclass(frozen=True, order=True)
class Answer:
    """What a network said of an example.

    Attributes:
      rank: The higher, the more it tells.
      number: Place of the example in the split, counted backwards from 0: ties go to the first.
      label: Its class.
      predicted: The most likely class.
      confidence: Probability of that class, 0..1.
      record: The serialized example.
      layout: Where its parts stand, if not where this library puts them.
    """

    rank: float
    number: int
    label: int
    predicted: int
    confidence: float
    record: bytes = dataclasses.field(compare=False)
    layout: Layout | None = dataclasses.field(default=None, compare=False)

    def thumbnail(self, class_names: Sequence[str]) -> Thumbnail:
        """Returns it as it is shown; raises `DamageError` if Pillow cannot read the image."""
        example = stored_example.parse(self.record, self.layout)
        label, predicted = class_names[self.label], class_names[self.predicted]
        name = label if label == predicted else f"{predicted}, labeled {label}"
        place = example.filename or f"example {-self.number}"
        with stored_example.open_image(example.encoded) as image:
            return thumbnail.make(image, name, f"{self.confidence:.1%} · {place}", place)


class TellingExamples:
    """Keeps the most telling examples of a split, whatever its size.

    Args:
      count: How many of each kind to keep.
      layout: Where the parts of an example stand, if not where this library puts them.
    """

    def __init__(self, count: int, layout: Layout | None = None):
        self._count = count
        self._layout = layout
        self._mistakes: list[Answer] = []
        self._hits: list[Answer] = []
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
            rank = sign * float(confidence)
            if len(kept) == self._count and rank <= kept[0].rank:
                continue
            classes = int(label), int(predicted)
            answer = Answer(rank, -number, *classes, float(confidence), record, self._layout)
            (heapq.heappush if len(kept) < self._count else heapq.heapreplace)(kept, answer)
        self._seen += len(labels)

    def mistakes(self, class_names: Sequence[str]) -> list[Thumbnail]:
        """Returns the wrong answers that the network was most certain of, these first."""
        return _thumbnails(self._mistakes, class_names)

    def hits(self, class_names: Sequence[str]) -> list[Thumbnail]:
        """Returns the right answers that the network was least certain of, these first."""
        return _thumbnails(self._hits, class_names)


def _thumbnails(answers: Sequence[Answer], class_names: Sequence[str]) -> list[Thumbnail]:
    shown = []
    for answer in sorted(answers, reverse=True):
        with contextlib.suppress(stored_example.DamageError):
            shown.append(answer.thumbnail(class_names))
    return shown
