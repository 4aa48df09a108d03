"""What changed since an earlier evaluation of the same images."""

import csv
import dataclasses
import os
import pathlib
from collections.abc import Sequence

from datasets.storage.layout import Layout
from slim_internal.ground.errors import UserError
from slim_internal.parts.metrics import mcnemar
from slim_internal.parts.metrics.metric import Outputs, Table, Value
from slim_internal.parts.reports.kept_examples import Answer, KeptExamples
from slim_internal.parts.reports.thumbnail import Thumbnail
from slim_internal.programs.evaluation import predictions

_COLUMNS = ("example", "file", "label_name", "correct", "name_1")


@dataclasses.dataclass(frozen=True)
class Earlier:
    """What another evaluation said of an example.

    Attributes:
      label: Name of its class.
      answer: Name of the most likely class.
      right: Whether that is its class.
    """

    label: str
    answer: str
    right: bool


class Comparison:
    """Compares the answers of a network, batch by batch, with those of an earlier evaluation."""

    def __init__(
        self, other: str, class_names: Sequence[str], count: int, layout: Layout | None = None
    ):
        """Reads the earlier answers.

        Args:
          other: Folder of an evaluation, or its predictions.csv.
          class_names: Name of each class, in the order of the network's outputs.
          count: How many examples of each kind to show.
          layout: Where the parts of an example stand, if not where this library puts them.

        Raises:
          UserError: If there are none that can be read.
        """
        self.path = pathlib.Path(other)
        if self.path.is_dir():
            self.path /= predictions.FILENAME
        self._earlier = _read(self.path)
        self._names = class_names
        self._rows: list[list] = []
        self._seen = self._became_right = self._became_wrong = self._right_before = 0
        self.became = {"right": KeptExamples(count, layout), "wrong": KeptExamples(count, layout)}

    def add(self, outputs: Outputs, records: Sequence[bytes]) -> None:
        """Adds a batch.

        Raises:
          UserError: If it is of other images than the earlier evaluation's.
        """
        rows = zip(
            outputs.labels.tolist(),
            outputs.predicted.tolist(),
            outputs.confidences.tolist(),
            outputs.details["filename"],
            records,
            strict=True,
        )
        for number, (label, predicted, confidence, file, record) in enumerate(rows, self._seen):
            before = self._require(number, self._names[label])
            self._right_before += before.right
            right = label == predicted
            if right == before.right:
                continue
            kind = "right" if right else "wrong"
            self._became_right += right
            self._became_wrong += not right
            answer = self._names[predicted]
            self._rows.append(
                [kind, number, os.fsdecode(file), before.label, before.answer, answer, confidence]
            )
            self.became[kind].offer(
                Answer(confidence, -number, label, predicted, confidence, record)
            )
        self._seen += len(outputs.labels)

    def values(self) -> list[Value]:
        """Returns what changed.

        Raises:
          UserError: If the earlier evaluation has more examples.
        """
        if self._seen != len(self._earlier):
            raise UserError(
                f"{self.path} holds {len(self._earlier)} examples, this evaluation has"
                f" {self._seen}: compare evaluations of the same split and --max_num_batches."
            )
        p_value, method = mcnemar.p_value(self._became_right, self._became_wrong)
        before = self._right_before / self._seen
        change = (self._became_right - self._became_wrong) / self._seen
        columns = ["became", "example", "file", "label", "before", "now", "probability"]
        return [
            Value("compared_with", str(self.path), "Compared with"),
            Value("accuracy_before", before, "Accuracy there"),
            Value("accuracy_change", change, "Change"),
            Value("became_right", self._became_right, "Became right"),
            Value("became_wrong", self._became_wrong, "Became wrong"),
            Value("mcnemar_p_value", p_value, "McNemar's p"),
            Value("mcnemar_method", method),
            Value("changes", Table(columns, sorted(self._rows, key=lambda row: (row[0], row[1])))),
        ]

    def thumbnails(self, kind: str) -> list[Thumbnail]:
        """Returns images that became "right" or "wrong", the most certain answers first."""
        return self.became[kind].thumbnails(self._names)

    def _require(self, number: int, label: str) -> Earlier:
        if number >= len(self._earlier):
            raise UserError(
                f"{self.path} holds {len(self._earlier)} examples, this evaluation has more:"
                " compare evaluations of the same split and --max_num_batches."
            )
        before = self._earlier[number]
        if before.label != label:
            raise UserError(
                f"{self.path} is of other images: the label of example {number} is"
                f" {before.label!r} there and {label!r} here."
            )
        return before


def _read(path: pathlib.Path) -> list[Earlier]:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            reader = csv.DictReader(file)
            missing = [name for name in _COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise UserError(
                    f"--compare: {path} is not the {predictions.FILENAME} of an evaluation: it has"
                    f" no column {missing[0]!r}."
                )
            rows = list(reader)
    except (OSError, csv.Error) as error:
        problem = getattr(error, "strerror", None) or str(error)
        raise UserError(
            f"--compare: cannot read {path}: {problem}. Give the --eval_dir of an earlier"
            f" evaluation, or its {predictions.FILENAME}."
        ) from error
    if not rows:
        raise UserError(f"--compare: {path} holds no example.")
    if [row["example"] for row in rows] != [str(number) for number in range(len(rows))]:
        raise UserError(f"--compare: the rows of {path} are not numbered from 0; was it edited?")
    return [Earlier(row["label_name"], row["name_1"], row["correct"] == "1") for row in rows]
