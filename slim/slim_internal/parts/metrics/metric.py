"""What every metric has in common: it is updated by batches, merged, and asked for its result."""

import abc
import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

# Below it a probability of float32 is zero; its logarithm stays finite.
_SMALLEST = np.finfo(np.float32).tiny


@dataclasses.dataclass(frozen=True)
class Table:
    """Numbers in rows and columns.

    Attributes:
      columns: Titles of the columns.
      rows: The rows, each as long as `columns`.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


@dataclasses.dataclass(frozen=True)
class Value:
    """One result and the names under which writers show it.

    Attributes:
      name: Key in JSON, name of the file of a table.
      value: A number, a text, a `Table`, or anything made of lists, dicts, numbers and None.
      label: What the terminal calls it; empty if it is not printed.
      tag: What TensorBoard calls it; empty if it is not written there.
    """

    name: str
    value: Any
    label: str = ""
    tag: str = ""


class Outputs:
    """What a network says of a batch of images, and what is true of them.

    Attributes:
      scores: float64 [batch, classes], the higher the more likely.
      labels: int64 [batch], each from 0 to classes - 1.
      details: What else is known of the examples, by name: "height" and "width" in pixels before
        preprocessing (0 if not known), "source" as bytes (empty if not known); all [batch].
    """

    def __init__(
        self,
        logits: np.ndarray,
        labels: np.ndarray,
        details: Mapping[str, np.ndarray] | None = None,
    ):
        """Keeps the outputs of a batch.

        Args:
          logits: [batch, classes], logarithms of probabilities up to a constant for each row.
          labels: [batch], each from 0 to classes - 1.
          details: What else is known of the examples.
        """
        self.details = details or {}
        self.scores = np.asarray(logits, np.float64)
        self.labels = np.asarray(labels, np.int64)

    @classmethod
    def of_probabilities(cls, probabilities: np.ndarray, labels: np.ndarray) -> Self:
        """Returns the outputs of a network that gives probabilities [batch, classes], 0 to 1."""
        return cls(np.log(np.maximum(np.asarray(probabilities, np.float64), _SMALLEST)), labels)

    @functools.cached_property
    def log_probabilities(self) -> np.ndarray:
        """float64 [batch, classes], in nats."""
        shifted = self.scores - self.scores.max(axis=1, keepdims=True)
        return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))

    @functools.cached_property
    def losses(self) -> np.ndarray:
        """Cross entropy of each example, float64 [batch], in nats."""
        return -self.log_probabilities[np.arange(len(self.labels)), self.labels]

    @functools.cached_property
    def predicted(self) -> np.ndarray:
        """The most likely class of each example, int64 [batch]; of equally likely the first."""
        return self.scores.argmax(axis=1)

    @functools.cached_property
    def confidences(self) -> np.ndarray:
        """Probability of the most likely class, float64 [batch], 0 to 1."""
        return np.exp(self.log_probabilities.max(axis=1))

    @functools.cached_property
    def ranks(self) -> np.ndarray:
        """Number of classes that come before the right one, int64 [batch].

        Of classes that are equally likely the first comes first: a network that says the same of
        every class is not right every time.
        """
        own = self.scores[np.arange(len(self.labels)), self.labels][:, np.newaxis]
        earlier = np.arange(self.scores.shape[1]) < self.labels[:, np.newaxis]
        return np.sum((self.scores > own) | ((self.scores == own) & earlier), axis=1)


class Metric(abc.ABC):
    """Something measured over all examples of a split, batch by batch."""

    def __init__(self, class_names: Sequence[str]):
        """Starts without any example.

        Args:
          class_names: Name of each class, in the order of the network's outputs.
        """
        self.class_names = tuple(class_names)

    @abc.abstractmethod
    def update(self, outputs: Outputs) -> None:
        """Adds the examples of a batch."""

    @abc.abstractmethod
    def merge(self, other: Self) -> None:
        """Adds all examples that another metric of the same kind has seen."""

    @abc.abstractmethod
    def result(self) -> list[Value]:
        """Returns what was measured; at least one example has been seen."""
