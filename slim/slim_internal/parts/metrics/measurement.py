"""All metrics of a split, measured batch by batch, and what of it could not be measured."""

from collections.abc import Mapping, Sequence

import numpy as np

from slim_internal.parts.metrics import table
from slim_internal.parts.metrics.metric import Metric, Outputs, Value


class Measurement:
    """Collects a network's outputs for the examples of a split.

    Attributes:
      num_examples: How many examples were added.
      labels: Smallest and largest label; None before the first example.
      unknown_labels: How many of them have a label that the network has no class for.
      not_finite: How many got outputs that are not finite numbers.
    """

    def __init__(
        self,
        class_names: Sequence[str],
        metrics: Sequence[Metric] | None = None,
        *,
        top_k: int | None = None,
    ):
        """Starts without any example.

        Args:
          class_names: Name of each class, in the order of the network's outputs.
          metrics: What to measure; everything in the table unless given.
          top_k: k of a further recall at k; None for none.
        """
        self._metrics = table.make(class_names, top_k) if metrics is None else list(metrics)
        self.labels: tuple[int, int] | None = None
        self.num_examples = 0
        self.unknown_labels = 0
        self.not_finite = 0

    def add(
        self,
        logits: np.ndarray,
        labels: np.ndarray,
        details: Mapping[str, np.ndarray] | None = None,
    ) -> Outputs:
        """Adds a batch and returns it, labels without a class replaced by one.

        Args:
          logits: [batch, classes], logarithms of probabilities up to a constant for each row.
          labels: [batch].
          details: What else is known of the examples, as `Outputs` has it.
        """
        known = np.clip(labels, 0, logits.shape[1] - 1)
        outputs = Outputs(logits, known, details)
        with np.errstate(invalid="ignore", over="ignore"):
            not_finite = np.count_nonzero(~np.isfinite(outputs.losses))
        self.num_examples += len(labels)
        extremes = [int(labels.min()), int(labels.max()), *(self.labels or ())]
        self.labels = min(extremes), max(extremes)
        self.unknown_labels += np.count_nonzero(known != labels)
        self.not_finite += not_finite
        if not not_finite:
            for metric in self._metrics:
                metric.update(outputs)
        return outputs

    def values(self) -> list[Value]:
        """Returns the results of all metrics; at least one example has been added."""
        return [value for metric in self._metrics for value in metric.result()]
