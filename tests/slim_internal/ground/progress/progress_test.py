"""The wording of times, and what the log says of a long count by a clock that the tests turn."""

import logging
import math

import pytest

from slim_internal.ground import progress


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


@pytest.fixture
def clock(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


# (seconds, done) of each call -> the lines, of 10,000 in all.
CASES = {
    "a short count says nothing": ([(0, 0), (4, 9000), (4.9, 10_000)], {}, []),
    "a line every five seconds, counted from the first call": (
        [(0, 2000), (5, 4000), (7, 4500), (10, 5000)],
        {},
        [
            "Converted 4,000 of 10,000 pictures (40 %), 400/s, ETA 15 s",
            "Converted 5,000 of 10,000 pictures (50 %), 300/s, ETA 17 s",
        ],
    ),
    "nothing done so far": (
        [(0, 0), (5, 0)],
        {"what": "Read", "unit": "files"},
        ["Read 0 of 10,000 files (0 %), 0/s, ETA unknown"],
    ),
    "bytes": (
        [(0, 0), (10, 2500)],
        {"what": "Checked", "unit": None},
        ["Checked 2.5 kB of 10.0 kB (25 %), 250 bytes/s, ETA 30 s"],
    ),
}


@pytest.mark.parametrize(("calls", "arguments", "lines"), CASES.values(), ids=CASES)
def test_lines(calls, arguments, lines, clock, caplog):
    caplog.set_level(logging.INFO)
    tell = progress.ProgressLog(**arguments)
    for seconds, done in calls:
        clock[0] = seconds
        tell(done, 10_000)
    assert caplog.messages == lines
