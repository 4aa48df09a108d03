"""The wording of times, and what the log says of a long count by a clock that the tests turn."""

import math

import pytest

from slim_internal.ground import progress
from slim_internal.ground.progress import start_up


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (185, "3 min 05 s"),
        (7620, "2 h 07 min"),
        (273600, "3 d 04 h"),
        (-1, "0 s"),
        (math.inf, "unknown"),
        (math.nan, "unknown"),
    ],
)
def test_duration(seconds, text):
    assert progress.duration(seconds) == text


@pytest.mark.parametrize(
    ("done", "total", "seconds", "text"),
    [(10, 40, 20, "1 min 00 s"), (40, 40, 20, "0 s"), (0, 40, 20, "unknown")],
)
def test_eta(done, total, seconds, text):
    assert progress.eta(done, total, seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (2_568_145, "2.6 MB"), (147_897_477_120, "147.9 GB")],
)
def test_human_bytes(count, text):
    assert progress.human_bytes(count) == text


def test_parts_of_a_start_are_told_once(monkeypatch):
    times = iter([0.0, 1.24, 5.0, 6.0, 8.0, 10.0])
    monkeypatch.setattr(start_up.time, "monotonic", lambda: next(times))
    with start_up.measured("graph"):
        pass
    with start_up.measured("first step"), start_up.measured("input"):
        pass
    assert start_up.told() == "graph 1.2 s, input 2.0 s, first step 3.0 s"
    assert start_up.told() == ""
