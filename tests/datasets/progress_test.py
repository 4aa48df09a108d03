"""What the log says of a long count, by a clock that the tests turn."""

import logging

import pytest

from datasets import progress


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
            "Converted 4,000 of 10,000 pictures (40 %), 400/s, 15 s left",
            "Converted 5,000 of 10,000 pictures (50 %), 300/s, 17 s left",
        ],
    ),
    "nothing done so far": (
        [(0, 0), (5, 0)],
        {"what": "Read", "unit": "files"},
        ["Read 0 of 10,000 files (0 %), 0/s, unknown time left"],
    ),
    "bytes": (
        [(0, 0), (10, 2500)],
        {"what": "Checked", "unit": None},
        ["Checked 2.5 kB of 10.0 kB (25 %), 250 bytes/s, 30 s left"],
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
