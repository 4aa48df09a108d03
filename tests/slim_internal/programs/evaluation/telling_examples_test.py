"""Which mistakes and hits are kept, and how they are shown."""

import numpy as np
import pytest

from slim_internal.programs.evaluation.telling_examples import TellingExamples
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
