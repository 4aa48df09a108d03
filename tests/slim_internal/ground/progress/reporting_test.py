"""What a person reads about long work."""

import io
import logging

import pytest

from slim_internal.ground.progress import reporting
from slim_internal.ground.progress.reporting import Status

STATUSES = {
    "under_way": (
        Status("Fetching", "a.tgz", 45_200_000, 228_813_984, 11_300_000.0),
        "Fetching a.tgz: 45.2 MB of 228.8 MB (20 %), 11.3 MB/s, ETA 16 s",
    ),
    "without_total": (
        Status("Fetching", "a.tgz", 999, None, 20.0),
        "Fetching a.tgz: 999 bytes, 20 bytes/s",
    ),
    "hours_left": (
        Status("Checking", "a.tar", 0, 147_897_477_120, 2e7),
        "Checking a.tar: 0 bytes of 147.9 GB (0 %), 20.0 MB/s, ETA 2 h 03 min",
    ),
    "stalled": (
        Status("Fetching", "a", 1, 2, 0.0),
        "Fetching a: 1 bytes of 2 bytes (50 %), 0 bytes/s",
    ),
    "finished": (
        Status("Fetching", "a", 2000, 2000, 1000.0, finished=True),
        "Fetching a: 2.0 kB of 2.0 kB (100 %), 1.0 kB/s",
    ),
}


@pytest.mark.parametrize(("moment", "text"), STATUSES.values(), ids=STATUSES)
def test_text(moment, text):
    assert str(moment) == text


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test sets: its only element is the time in seconds."""
    now = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    return now


def test_meter_reports_now_and_then_and_at_the_end(clock):
    seen = []
    with reporting.Meter(seen.append, "Fetching", "a", done=100, total=1100, interval=1.0) as meter:
        for _ in range(10):
            clock[0] += 0.3
            meter.advance(100)
    # The bytes that were there before do not count for the rate.
    assert [(s.done, round(s.rate), s.finished) for s in seen] == [
        (500, 333, False),
        (900, 333, False),
        (1100, 333, True),
    ]


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("stream", "shown"),
    [
        (Terminal, ["\rA a: 3 bytes, 1 bytes/s\x1b[K", "\rA a: 4 bytes, 1 bytes/s\x1b[K"]),
        (io.StringIO, ["A a: 3 bytes, 1 bytes/s\n"]),
    ],
    ids=["terminal", "file"],
)
def test_line(clock, stream, shown):
    stream = stream()
    line = reporting.StatusLine(stream)
    for done in range(1, 5):
        clock[0] += 0.9
        line(Status("A", "a", done, None, 1.0))
    line(Status("A", "a", 5, None, 1.0, finished=True))
    last = "A a: 5 bytes, 1 bytes/s"
    ending = f"\r{last}\x1b[K\n" if isinstance(stream, Terminal) else f"{last}\n"
    assert stream.getvalue() == "".join(shown) + ending


def test_short_work_shows_nothing(clock):
    stream = io.StringIO()
    line = reporting.StatusLine(stream)
    line(Status("A", "a", 1, 2, 1.0))
    line(Status("A", "a", 2, 2, 1.0, finished=True))
    assert stream.getvalue() == ""


# (seconds, done) of each call -> the lines, of 10,000 in all.
CASES = {
    "a short count says nothing": ([(0, 0), (4, 9000), (4.9, 10_000)], {}, []),
    "a line every five seconds, counted from the first call": (
        [(0, 2000), (5, 4000), (7, 4500), (10, 5000)],
        {},
        [
            "Converted 4,000 of 10,000 images (40 %), 400/s, ETA 15 s",
            "Converted 5,000 of 10,000 images (50 %), 300/s, ETA 17 s",
        ],
    ),
    "nothing done so far": (
        [(0, 0), (5, 0)],
        {"action": "Read", "unit": "files"},
        ["Read 0 of 10,000 files (0 %), 0/s"],
    ),
    "bytes": (
        [(0, 0), (10, 2500)],
        {"action": "Checked", "unit": ""},
        ["Checked 2.5 kB of 10.0 kB (25 %), 250 bytes/s, ETA 30 s"],
    ),
}


@pytest.mark.parametrize(("calls", "arguments", "lines"), CASES.values(), ids=CASES)
def test_log(calls, arguments, lines, clock, caplog):
    caplog.set_level(logging.INFO)
    clock[0], first = calls[0]
    arguments = {"action": "Converted", "unit": "images"} | arguments
    meter = reporting.Meter(reporting.ProgressLog(), done=first, total=10_000, **arguments)
    with meter:
        for seconds, done in calls:
            clock[0] = seconds
            meter.reach(done)
    assert caplog.messages == lines
