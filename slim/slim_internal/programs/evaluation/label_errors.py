"""Labels that are likely to be wrong, by confident learning (arXiv 1911.00068).

A class gets a threshold: the mean probability that the network gives it on examples with its label.
Of the classes whose threshold an example reaches, the most likely is counted as its true class. If
that is another one than its label, and more likely than it, the label is likely to be wrong. A
network that is right less than half of the time, or no more often than always answering the largest
class, cannot tell.
"""

import os
from collections.abc import Sequence

import numpy as np

from datasets.storage.layout import Layout
from slim_internal.parts.metrics.metric import Outputs, Table, Value
from slim_internal.parts.reports.kept_examples import Answer, KeptExamples
from slim_internal.parts.reports.thumbnail import Thumbnail

# Of more classes, only so many of the most likely are remembered for each example; any other has a
# probability below 1/20.
_MOST_LIKELY = 20
# Images remembered for each one that is shown: not every certain mistake is a likely label error.
_SPARE = 8


class LabelErrors:
    """Finds likely label errors once all examples have been seen."""

    def __init__(self, class_names: Sequence[str], count: int, layout: Layout | None = None):
        """Starts without any example.

        Args:
          class_names: Name of each class, in the order of the network's outputs.
          count: How many to show.
          layout: Where the parts of an example stand, if not where this library puts them.
        """
        self._names = class_names
        self._count = count
        self._kept = KeptExamples(_SPARE * count, layout)
        self._batches: list[tuple[np.ndarray, ...]] = []
        self._files: list[bytes] = []
        self._hits = 0

    def add(self, outputs: Outputs, records: Sequence[bytes]) -> None:
        """Adds a batch."""
        probabilities = np.exp(outputs.log_probabilities).astype(np.float32)
        rows = np.arange(len(probabilities))
        depth = min(_MOST_LIKELY, probabilities.shape[1])
        classes = np.argpartition(-probabilities, depth - 1, axis=1)[:, :depth].astype(np.int32)
        own = probabilities[rows, outputs.labels]
        likely = probabilities[rows[:, np.newaxis], classes]
        start = len(self._files)
        self._hits += int(np.count_nonzero(outputs.predicted == outputs.labels))
        for row in np.flatnonzero(outputs.predicted != outputs.labels):
            label, predicted = int(outputs.labels[row]), int(outputs.predicted[row])
            confidence = float(probabilities[row, predicted])
            self._kept.offer(
                Answer(
                    confidence - float(own[row]),
                    -int(start + row),
                    label,
                    predicted,
                    confidence,
                    records[row],
                )
            )
        self._batches.append((outputs.labels, own, classes, likely))
        self._files += list(outputs.details["filename"])

    def values(self) -> list[Value]:
        """Returns how many there are, None if the network cannot tell, and each of them.

        The most likely come first.
        """
        rows = [
            [
                number,
                os.fsdecode(self._files[number]),
                self._names[label],
                self._names[suggested],
                f"{own:.6f}",
                f"{other:.6f}",
            ]
            for number, label, suggested, own, other in self._found()
        ]
        columns = ["example", "file", "label", "suggested", "label_probability", "probability"]
        return [
            Value("num_label_errors", len(rows) if self._can_tell() else None),
            Value("label_errors", Table(columns, rows)),
        ]

    def thumbnails(self) -> list[Thumbnail]:
        """Returns those that are shown, the most likely first."""
        found = {(number, suggested) for number, _, suggested, _, _ in self._found()}
        chosen = [
            answer for answer in self._kept.answers() if (-answer.number, answer.predicted) in found
        ]
        return self._kept.thumbnails(self._names, chosen[: self._count])

    def _can_tell(self) -> bool:
        labels = np.concatenate([batch[0] for batch in self._batches])
        return self._hits > np.bincount(labels).max() and 2 * self._hits >= len(labels)

    def _found(self) -> list[tuple[int, int, int, float, float]]:
        """Returns number, label, suggested class and both probabilities of each."""
        if not self._can_tell():
            return []
        labels, own, classes, likely = (
            np.concatenate(parts) for parts in zip(*self._batches, strict=True)
        )
        counts = np.bincount(labels, minlength=len(self._names))
        # A class without examples has no threshold that could be reached.
        thresholds = np.full(len(self._names), np.inf)
        seen = counts > 0
        thresholds[seen] = np.bincount(labels, own, minlength=len(self._names))[seen] / counts[seen]
        reached = np.where(likely >= thresholds[classes], likely, -1.0)
        best = reached.argmax(axis=1)
        rows = np.arange(len(labels))
        suggested, other = classes[rows, best], reached[rows, best]
        wrong = np.flatnonzero((suggested != labels) & (other > own))
        order = wrong[np.argsort(own[wrong] - other[wrong], kind="stable")]
        return [
            (int(n), int(labels[n]), int(suggested[n]), float(own[n]), float(other[n]))
            for n in order
        ]
