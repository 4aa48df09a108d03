"""What a run says of itself, and when."""

import logging
import time

import pytest

from slim_internal.programs.training import reporting


def test_announces_at_once_and_while_it_lasts(caplog):
    caplog.set_level(logging.INFO)
    with reporting.announced("Waiting", every_secs=0.05):
        time.sleep(0.18)
    assert caplog.messages[0] == "Waiting ..."
    assert set(caplog.messages[1:]) == {"Waiting: 0 s"}
    lines = len(caplog.messages)
    assert 3 <= lines <= 4
    time.sleep(0.1)
    assert len(caplog.messages) == lines


def test_what_is_soon_done_needs_no_line(caplog):
    caplog.set_level(logging.INFO)
    with reporting.announced("Waiting", at_once=False):
        pass
    assert caplog.messages == []


def test_reminds_of_steps_that_take_long(caplog):
    caplog.set_level(logging.INFO)
    steps = iter([7, 7, 8])
    with reporting.reminded(lambda: next(steps, 8), every_secs=0.2):
        time.sleep(0.5)  # Asked after 0.2 s and after 0.4 s.
    assert caplog.messages == ["Since step 7: 0 s"]


def test_epoch():
    extent = reporting.Extent(0, None, images_per_step=32, num_samples=128)
    assert extent.epoch(6) == 1.5


@pytest.mark.parametrize(
    ("step", "kept"), [(0, []), (1, []), (2, [0]), (3, [0]), (4, [0, 1]), (99, [0, 1, 2])]
)
def test_metrics_never_go_backwards(tmp_path, step, kept):
    path = tmp_path / "metrics.jsonl"
    lines = ['{"step": 2, "loss": 1}\n', '{"step": 4, "loss": 1}\n', '{"step": 6, "loss": 1}\n']
    bad = ["[]\n", '{"step": "1"}\n', '{"step": 1e400}\n', "[" * 100_000 + "\n", "\udcff\n"]
    text = "".join([*bad, *lines, '{"step": 8, "lo'])
    path.write_text(text, errors="surrogateescape")
    reporting.cut_metrics(str(path), step)
    assert path.read_text() == "".join(lines[index] for index in kept)


def test_no_metrics_yet(tmp_path):
    reporting.cut_metrics(str(tmp_path / "metrics.jsonl"), 3)
    assert not list(tmp_path.iterdir())
