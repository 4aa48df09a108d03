"""What each writer makes of the same results."""

import csv
import json
import os

import pytest

from slim_internal.ground.compat import tf
from slim_internal.parts.metrics.csv_tables import CsvTables
from slim_internal.parts.metrics.json_files import JsonFile, JsonLines
from slim_internal.parts.metrics.metric import Table, Value
from slim_internal.parts.metrics.tensorboard import TensorBoard
from slim_internal.parts.metrics.terminal import Terminal
from slim_internal.parts.metrics.writers import Several, Writer

_NOT_TEXT = os.fsdecode(b"caf\xe9")  # A folder of a class may be called so.

VALUES = [
    Value("checkpoint_path", "/train/model.ckpt-3", "Checkpoint"),
    Value("accuracy", 0.75, "Accuracy", "eval/Accuracy"),
    Value("interval", [0.5, 0.875]),
    Value("per_class", [{"name": _NOT_TEXT, "precision": None}]),
    Value("confusion", Table(["label", "a", "b"], [["a", 3, 0], [_NOT_TEXT, 1, 4]])),
]


def test_terminal():
    lines = []
    Terminal(lines.append).write(3, VALUES)
    assert lines == ["Checkpoint /train/model.ckpt-3", "Accuracy   0.7500"]


def test_json(tmp_path):
    (tmp_path / "metrics.json").write_text("older")
    JsonFile(tmp_path / "metrics.json").write(3, VALUES)
    text = (tmp_path / "metrics.json").read_text(encoding="utf-8", errors="surrogateescape")
    assert json.loads(text) == {
        "checkpoint_path": "/train/model.ckpt-3",
        "accuracy": 0.75,
        "interval": [0.5, 0.875],
        "per_class": [{"name": _NOT_TEXT, "precision": None}],
    }
    assert os.listdir(tmp_path) == ["metrics.json"]


def test_json_lines(tmp_path):
    writer = JsonLines(tmp_path / "metrics.jsonl")
    writer.write(3, VALUES[:2])
    writer.write(4, VALUES[1:2])
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [
        {"step": 3, "checkpoint_path": "/train/model.ckpt-3", "accuracy": 0.75},
        {"step": 4, "accuracy": 0.75},
    ]


def test_tables(tmp_path):
    CsvTables(tmp_path).write(3, VALUES)
    assert os.listdir(tmp_path) == ["confusion.csv"]
    with open(tmp_path / "confusion.csv", errors="surrogateescape", newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [["label", "a", "b"], ["a", "3", "0"], [_NOT_TEXT, "1", "4"]]


@pytest.mark.parametrize(("step", "written"), [(3, 3), (-1, 0)])
def test_tensorboard(tmp_path, step, written):
    with TensorBoard(tmp_path) as writer:
        writer.write(step, VALUES)
    (path,) = tmp_path.iterdir()
    events = [
        (event.step, value.tag, value.simple_value)
        for event in tf.train.summary_iterator(str(path))
        for value in event.summary.value
    ]
    assert events == [(written, "eval/Accuracy", 0.75)]


class _Recorder(Writer):
    def __init__(self, calls, name, error=None):
        self._calls, self._name, self._error = calls, name, error

    def write(self, step, values):
        self._calls.append((self._name, step, len(values)))

    def close(self):
        self._calls.append((self._name, "closed"))
        if self._error:
            raise self._error


def test_several_writers_get_all_and_are_all_closed():
    calls = []
    writers = (_Recorder(calls, "a"), _Recorder(calls, "b", OSError("full")))
    with pytest.raises(OSError, match="full"), Several(*writers) as several:
        several.write(3, VALUES)
    assert calls[:2] == [("a", 3, 5), ("b", 3, 5)]
    assert sorted(calls[2:]) == [("a", "closed"), ("b", "closed")]
