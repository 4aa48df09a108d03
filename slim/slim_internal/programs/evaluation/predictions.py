"""A CSV file with what the network said of every example."""

import csv
import io
import os
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np

from slim_internal.ground.files import atomic
from slim_internal.parts.metrics.metric import Outputs

FILENAME = "predictions.csv"
TOP_K = 5


class Predictions(atomic.AtomicFile):
    """Grows by a row for each example; appears under its name when it is closed without an error.

    The columns are the number of the example, the file it was made from (empty if the dataset does
    not tell), its label, whether the most likely class is right, then the most likely classes with
    their probabilities, the most likely first.
    """

    def __init__(self, folder: str, class_names: Sequence[str], top_k: int | None = None):
        """Starts the file.

        Args:
          folder: Where it appears.
          class_names: Name of each class, in the order of the network's outputs.
          top_k: How many of the most likely classes to name; 5, or all if there are fewer, unless
            given.
        """
        super().__init__(pathlib.Path(folder, FILENAME))
        self._names = class_names
        self._top_k = min(top_k or TOP_K, len(class_names))
        self._seen = 0
        columns = ["example", "file", "label", "label_name", "correct"]
        for place in range(1, self._top_k + 1):
            columns += [f"class_{place}", f"name_{place}", f"probability_{place}"]
        self._rows([columns])

    def add(self, outputs: Outputs, details: Mapping[str, np.ndarray]) -> None:
        """Adds a batch.

        Args:
          outputs: What the network says.
          details: "filename": bytes for each example, empty if not known.
        """
        top = np.argsort(-outputs.scores, axis=1, kind="stable")[:, : self._top_k]
        rows = np.arange(len(top))[:, np.newaxis]
        probabilities = np.exp(outputs.log_probabilities[rows, top])
        self._rows(
            self._row(*example)
            for example in zip(
                details["filename"],
                outputs.labels.tolist(),
                top.tolist(),
                probabilities.tolist(),
                strict=True,
            )
        )

    def _row(self, filename: bytes, label: int, top: list[int], probabilities: list[float]) -> list:
        row = [self._seen, os.fsdecode(filename), label, self._names[label], int(top[0] == label)]
        for index, probability in zip(top, probabilities, strict=True):
            row += [index, self._names[index], f"{probability:.6f}"]
        self._seen += 1
        return row

    def _rows(self, rows) -> None:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
        self.write(text.getvalue().encode(errors="surrogateescape"))
