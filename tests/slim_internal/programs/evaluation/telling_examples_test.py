"""Which mistakes, hits and likely label errors are found, and how they are shown."""

import numpy as np
import pytest

from slim_internal.parts.metrics.metric import Outputs
from slim_internal.parts.reports.telling_examples import TellingExamples
from slim_internal.programs.evaluation.label_errors import LabelErrors
from tests.slim_internal.programs.inspection import sets

NAMES = ["cat", "dog", "owl"]


def logits(predicted: int, confidence: float) -> list[float]:
    probabilities = np.full(3, (1 - confidence) / 2)
    probabilities[predicted] = confidence
    return np.log(probabilities).tolist()


# (label, predicted, confidence) of the examples of a split.
ANSWERS = [
    (0, 0, 0.9),
    (0, 1, 0.5),
    (1, 1, 0.4),
    (1, 2, 0.8),
    (2, 2, 0.6),
    (2, 0, 0.7),
    (1, 1, 0.4),
]


def examples(count: int, batch_size: int, answers=ANSWERS) -> TellingExamples:
    telling = TellingExamples(count)
    for start in range(0, len(answers), batch_size):
        batch = answers[start : start + batch_size]
        records = [
            sets.record(sets.image(start + n), label, filename=[f"{start + n}.jpg".encode()])
            for n, (label, _, _) in enumerate(batch)
        ]
        labels = np.array([label for label, _, _ in batch])
        telling.add(np.array([logits(*answer[1:]) for answer in batch]), labels, records)
    return telling


@pytest.mark.parametrize("batch_size", [1, 2, 7])
def test_most_certain_mistakes_and_least_certain_hits_come_first(batch_size):
    telling = examples(2, batch_size)
    assert [shown.place for shown in telling.mistakes(NAMES)] == ["3.jpg", "5.jpg"]
    assert [shown.place for shown in telling.hits(NAMES)] == ["2.jpg", "6.jpg"]


def test_captions_say_what_was_answered_and_how_sure():
    telling = examples(9, 3)
    mistakes, hits = telling.mistakes(NAMES), telling.hits(NAMES)
    assert len(mistakes) == 3
    assert len(hits) == 4
    assert (mistakes[0].name, mistakes[0].detail) == ("owl, labeled dog", "80.0% · 3.jpg")
    assert (hits[-1].name, hits[-1].detail) == ("cat", "90.0% · 0.jpg")


def test_examples_without_a_file_name_are_numbered_and_unreadable_ones_left_out():
    telling = TellingExamples(3)
    records = [sets.record(sets.image(0), 0), sets.record(b"broken", 0)]
    telling.add(np.array([logits(1, 0.9), logits(1, 0.8)]), np.array([0, 0]), records)
    assert [shown.place for shown in telling.mistakes(NAMES)] == ["example 0"]


def _label_errors(probabilities, labels, names, batch_size=1000, count=3):
    found = LabelErrors(names, count)
    records = [sets.record(sets.image(n % 9), int(label)) for n, label in enumerate(labels)]
    for start in range(0, len(labels), batch_size):
        part = slice(start, start + batch_size)
        files = np.array([b"%d.jpg" % n for n in range(len(labels))], object)[part]
        outputs = Outputs(np.log(probabilities[part]), labels[part], {"filename": files})
        found.add(outputs, records[part])
    return found


def _expected_label_errors(probabilities, labels):
    """The same in the words of the paper: thresholds, then the confident joint."""
    classes = range(probabilities.shape[1])
    thresholds = [
        probabilities[labels == k, k].mean() if (labels == k).any() else np.inf for k in classes
    ]
    found = []
    for number, (row, label) in enumerate(zip(probabilities, labels, strict=True)):
        most_likely = np.argsort(-row)[:20]
        reached = [k for k in most_likely if row[k] >= thresholds[k]]
        best = max(reached, key=lambda k: row[k], default=label)
        if best != label and row[best] > row[label]:
            found.append((row[label] - row[best], number, best))
    return [(number, f"class {best}") for _, number, best in sorted(found)]


@pytest.mark.parametrize("batch_size", [1, 64, 1000])
@pytest.mark.parametrize("num_classes", [2, 7, 40])
def test_label_errors_are_those_of_confident_learning(num_classes, batch_size):
    random = np.random.RandomState(num_classes)
    truth = random.randint(0, num_classes - (num_classes > 2), 300)  # One class has no example.
    scores = random.normal(size=(300, num_classes)) + 4 * np.eye(num_classes)[truth]
    probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    swapped = random.rand(300) < 0.1
    labels = np.where(swapped, (truth + 1) % num_classes, truth)
    names = [f"class {k}" for k in range(num_classes)]
    found = _label_errors(probabilities, labels, names, batch_size)
    number, table = (value.value for value in found.values())
    assert [(row[0], row[3]) for row in table.rows] == _expected_label_errors(probabilities, labels)
    assert number == len(table.rows)
    hits = sum(swapped[row[0]] for row in table.rows)
    assert hits > 0.6 * np.count_nonzero(swapped)
    assert table.rows[0][1] == f"{table.rows[0][0]}.jpg"
    shown = found.thumbnails()
    assert len(shown) == 3
    assert shown[0].place == f"example {table.rows[0][0]}"


@pytest.mark.parametrize("labels", [[0, 0, 0, 0], [0, 0, 1, 1]])
def test_a_network_that_knows_nothing_finds_no_label_errors(labels):
    probabilities = np.array([[0.4, 0.6], [0.6, 0.4], [0.9, 0.1], [0.7, 0.3]])
    found = _label_errors(probabilities, np.array(labels), ["a", "b"])
    assert next(value.value for value in found.values()) is None
    assert found.thumbnails() == []
