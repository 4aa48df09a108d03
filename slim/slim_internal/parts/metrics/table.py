"""The metrics of an evaluation, one class each.

`@listed` puts a class into `METRICS`; nothing else names it. The order is that of the terminal and
of the files.
"""

import os
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np

from slim_internal.parts.metrics import intervals
from slim_internal.parts.metrics.metric import Metric, Outputs, Table, Value

METRICS: list[type[Metric]] = []

_CALIBRATION_BINS = 15


def listed(metric: type[Metric]) -> type[Metric]:
    """Enters a metric; evaluations report it from then on."""
    METRICS.append(metric)
    return metric


def make(class_names: Sequence[str], top_k: int | None = None) -> list[Metric]:
    """Returns every metric, without any example yet.

    Args:
      class_names: Name of each class, in the order of the network's outputs.
      top_k: k of a further recall at k, after the published ones; None for none.
    """
    metrics = [metric(class_names) for metric in METRICS]
    if top_k and top_k not in (Accuracy.k, RecallAt5.k):
        metrics.insert(METRICS.index(RecallAt5) + 1, RecallAtK(class_names, top_k))
    return metrics


class _Hits(Metric):
    """Fraction of examples whose right class is among the k most likely."""

    k: int
    names: tuple[str, str, str]  # In JSON, on the terminal, in TensorBoard.

    def __init__(self, class_names: Sequence[str]):
        super().__init__(class_names)
        self._right = 0
        self._examples = 0

    def update(self, outputs: Outputs) -> None:
        """Adds the examples of a batch."""
        self._right += int(np.count_nonzero(outputs.ranks < self.k))
        self._examples += len(outputs.labels)

    def merge(self, other: "_Hits") -> None:
        """Adds the examples that another metric of the same kind has seen."""
        self._right += other._right
        self._examples += other._examples

    def result(self) -> list[Value]:
        """Returns the fraction and its interval."""
        name, label, tag = self.names
        return [
            Value(name, self._right / self._examples, label, tag),
            Value(f"{name}_interval", list(intervals.wilson(self._right, self._examples))),
        ]


@listed
class Accuracy(_Hits):
    """Fraction of examples whose most likely class is right, 0 to 1, with its 95 % interval."""

    k = 1
    names = ("accuracy", "Accuracy", "eval/Accuracy")


@listed
class RecallAt5(_Hits):
    """Fraction whose right class is among the five most likely, 0 to 1, with its interval."""

    k = 5
    names = ("recall_at_5", "Recall at 5", "eval/Recall_5")


class RecallAtK(_Hits):
    """Fraction whose right class is among the k most likely, 0 to 1, with its interval."""

    def __init__(self, class_names: Sequence[str], k: int):
        """Starts without any example.

        Args:
          class_names: Name of each class, in the order of the network's outputs.
          k: How many of the most likely classes count.
        """
        super().__init__(class_names)
        self.k = k
        self.names = (f"recall_at_{k}", f"Recall at {k}", f"eval/Recall_{k}")


@listed
class Loss(Metric):
    """Mean cross entropy in nats."""

    def __init__(self, class_names: Sequence[str]):
        super().__init__(class_names)
        self._sum = 0.0
        self._examples = 0

    def update(self, outputs: Outputs) -> None:
        """Adds the examples of a batch."""
        self._sum += float(outputs.losses.sum())
        self._examples += len(outputs.labels)

    def merge(self, other: "Loss") -> None:
        """Adds the examples that another metric of the same kind has seen."""
        self._sum += other._sum
        self._examples += other._examples

    def result(self) -> list[Value]:
        """Returns the mean."""
        return [Value("loss", self._sum / self._examples, "Loss", "eval/Loss")]


class _Counts(Metric):
    """Counts of each class: examples, predictions and hits, int64 [classes]."""

    def __init__(self, class_names: Sequence[str]):
        super().__init__(class_names)
        self._examples, self._predictions, self._hits = np.zeros([3, len(class_names)], np.int64)

    def update(self, outputs: Outputs) -> None:
        """Adds the examples of a batch."""

        def count(classes: np.ndarray) -> np.ndarray:
            return np.bincount(classes, minlength=len(self.class_names))

        self._examples += count(outputs.labels)
        self._predictions += count(outputs.predicted)
        self._hits += count(outputs.labels[outputs.labels == outputs.predicted])

    def merge(self, other: "_Counts") -> None:
        """Adds the examples that another metric of the same kind has seen."""
        self._examples += other._examples
        self._predictions += other._predictions
        self._hits += other._hits


@listed
class MeanClassAccuracy(_Counts):
    """Mean over the classes that have examples of their accuracy, 0 to 1, with its interval."""

    def result(self) -> list[Value]:
        """Returns the mean and its interval."""
        counts = [
            (int(hits), int(examples))
            for hits, examples in zip(self._hits, self._examples, strict=True)
            if examples
        ]
        mean = sum(hits / examples for hits, examples in counts) / len(counts)
        return [
            Value("mean_class_accuracy", mean, "Class mean"),
            Value("mean_class_accuracy_interval", list(intervals.mean_of_fractions(counts))),
        ]


@listed
class PerClass(_Counts):
    """Precision, recall and F1 of each class, 0 to 1; None where they are not defined."""

    def result(self) -> list[Value]:
        """Returns the one row for each class."""
        rows = []
        for index, name in enumerate(self.class_names):
            examples = int(self._examples[index])
            predictions = int(self._predictions[index])
            hits = int(self._hits[index])
            rows.append(
                {
                    "class": index,
                    "name": name,
                    "examples": examples,
                    "predictions": predictions,
                    "precision": _ratio(hits, predictions),
                    "recall": _ratio(hits, examples),
                    "recall_interval": list(intervals.wilson(hits, examples)) if examples else None,
                    "f1": _ratio(2 * hits, examples + predictions),
                }
            )
        return [Value("per_class", rows)]


def _ratio(numerator: int, denominator: int) -> float | None:
    return numerator / denominator if denominator else None


@listed
class Confusion(Metric):
    """Number of examples of each class (rows) that were taken for each class (columns)."""

    def __init__(self, class_names: Sequence[str]):
        super().__init__(class_names)
        self._matrix = np.zeros([len(class_names)] * 2, np.int64)

    def update(self, outputs: Outputs) -> None:
        """Adds the examples of a batch."""
        np.add.at(self._matrix, (outputs.labels, outputs.predicted), 1)

    def merge(self, other: "Confusion") -> None:
        """Adds the examples that another metric of the same kind has seen."""
        self._matrix += other._matrix

    def result(self) -> list[Value]:
        """Returns the matrix."""
        rows = [
            [name, *row] for name, row in zip(self.class_names, self._matrix.tolist(), strict=True)
        ]
        return [Value("confusion", Table(["label", *self.class_names], rows))]


@listed
class Calibration(Metric):
    """How well probabilities tell how often the network is right.

    Examples are sorted by the probability of their most likely class into bins of equal width
    (lower, upper]. The expected calibration error is the mean distance between a bin's mean
    probability and its accuracy, weighted by its examples: 0 is perfect.
    """

    def __init__(self, class_names: Sequence[str]):
        super().__init__(class_names)
        self._edges = np.linspace(0.0, 1.0, _CALIBRATION_BINS + 1)
        self._examples, self._right, self._confidence = np.zeros([3, _CALIBRATION_BINS])

    def update(self, outputs: Outputs) -> None:
        """Adds the examples of a batch."""
        bins = np.searchsorted(self._edges[1:-1], outputs.confidences)

        def total(weights: np.ndarray) -> np.ndarray:
            return np.bincount(bins, weights, minlength=_CALIBRATION_BINS)

        self._examples += total(np.ones(len(bins)))
        self._right += total(outputs.labels == outputs.predicted)
        self._confidence += total(outputs.confidences)

    def merge(self, other: "Calibration") -> None:
        """Adds the examples that another metric of the same kind has seen."""
        self._examples += other._examples
        self._right += other._right
        self._confidence += other._confidence

    def result(self) -> list[Value]:
        """Returns the error and the bins that hold examples."""
        error = np.abs(self._confidence - self._right).sum() / self._examples.sum()
        bins = [
            {
                "lower": float(self._edges[index]),
                "upper": float(self._edges[index + 1]),
                "examples": int(examples),
                "confidence": float(self._confidence[index] / examples),
                "accuracy": float(self._right[index] / examples),
            }
            for index, examples in enumerate(self._examples)
            if examples
        ]
        return [
            Value("expected_calibration_error", float(error), "Calibration"),
            Value("calibration", bins),
        ]


class _Groups(Metric):
    """Accuracy of each group of examples that a detail tells apart; empty if it tells no two."""

    def __init__(self, class_names: Sequence[str]):
        super().__init__(class_names)
        self._counts: dict[Hashable, np.ndarray] = {}  # Hits and examples.

    def _add(self, groups: Sequence[Hashable], outputs: Outputs) -> None:
        for group, hit in zip(groups, outputs.labels == outputs.predicted, strict=True):
            self._counts.setdefault(group, np.zeros(2, np.int64))[:] += (hit, 1)

    def merge(self, other: "_Groups") -> None:
        """Adds the examples that another metric of the same kind has seen."""
        for group, counts in other._counts.items():
            self._counts.setdefault(group, np.zeros(2, np.int64))[:] += counts

    def _rows(self, describe: Callable[[Any], dict[str, Any]]) -> list[dict[str, Any]]:
        if len(self._counts) < 2:
            return []
        return [
            {
                **describe(group),
                "examples": int(examples),
                "accuracy": float(hits / examples),
                "accuracy_interval": list(intervals.wilson(int(hits), int(examples))),
            }
            for group, (hits, examples) in sorted(self._counts.items())
        ]


@listed
class AccuracyByImageSize(_Groups):
    """Accuracy of images by the power of two that their side (the root of their area) reaches."""

    def update(self, outputs: Outputs) -> None:
        """Adds the examples of a batch."""
        if "height" not in outputs.details:
            return
        areas = outputs.details["height"].astype(np.float64) * outputs.details["width"]
        if areas.all():
            self._add(np.floor(np.log2(areas) / 2).astype(int).tolist(), outputs)

    def result(self) -> list[Value]:
        """Returns the rows, from small images to large ones."""
        rows = self._rows(lambda power: {"from_pixels": 2**power, "below_pixels": 2 ** (power + 1)})
        return [Value("accuracy_by_image_size", rows)]


@listed
class AccuracyBySource(_Groups):
    """Accuracy of images by their source, where the dataset tells it.

    Examples without `image/source` are told apart by the folder of their file, less the folder of
    their class: of "train/cats/camera_2/1.jpg", a cat, "train/camera_2" is left.
    """

    def update(self, outputs: Outputs) -> None:
        """Adds the examples of a batch."""
        if not {"source", "filename"} & outputs.details.keys():
            return
        nothing = [b""] * len(outputs.labels)
        known = [outputs.details.get(name, nothing) for name in ("source", "filename")]
        self._add(list(map(self._source, outputs.labels.tolist(), *known)), outputs)

    def _source(self, label: int, source: bytes, filename: bytes) -> str:
        folders = os.fsdecode(filename).split("/")[:-1]
        where = [folder for folder in folders if folder != self.class_names[label]]
        return os.fsdecode(source) or "/".join(where)

    def result(self) -> list[Value]:
        """Returns the rows in the order of the sources' names."""
        return [Value("accuracy_by_source", self._rows(lambda source: {"source": source}))]
