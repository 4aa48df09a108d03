"""Lets the command vouch for weights made on the spot: it sees what is right and what is not."""

import hashlib
import json
import os
import pathlib
import subprocess
import sys

import pytest

from tests.slim_internal.parts.checkpoints import small_weights
from tests.slim_internal.parts.checkpoints.small_weights import WEIGHTS
from tools import check_published_checkpoints as tool


def _run(*arguments):
    return subprocess.run(
        [sys.executable, tool.__file__, *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("source")
    small_weights.save(folder / f"{WEIGHTS.name}.ckpt", small_weights.values())
    return folder


def test_recorded_answers_belong_to_sets_of_weights_and_images():
    recorded = json.loads(tool._RECORDED.read_text())
    assert recorded["answers"]
    for name, answers in recorded["answers"].items():
        assert tool.chosen([name], None)[0].name == name
        assert answers.keys() <= recorded["images"].keys()


def test_photographs_are_those_recorded():
    import sklearn

    path = pathlib.Path(sklearn.__file__).parent / "datasets/images/china.jpg"
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    recorded = json.loads(tool._RECORDED.read_text())["images"]
    assert recorded["scikit-learn/china.jpg"] == digest
    assert tool.photographs({"scikit-learn/china.jpg": digest}) == {
        "scikit-learn/china.jpg": str(path)
    }
    assert tool.photographs({"scikit-learn/china.jpg": "0" * 64}) == {}


@pytest.mark.parametrize(
    ("recorded", "difference", "same_class"),
    [
        (None, None, True),
        ([(7, 0.6), (3, 0.3)], 0.0, True),
        ([(7, 0.5), (3, 0.3)], 0.1, True),
        ([(3, 0.6), (7, 0.3)], 0.3, False),
    ],
)
def test_compare(recorded, difference, same_class):
    got, same = tool.compare({7: 0.6, 3: 0.3, 1: 0.1}, recorded)
    assert got == (difference if difference is None else pytest.approx(difference))
    assert same == same_class


def test_first_run_records_nothing_and_the_next_compares(tmp_path, folder):
    images = json.loads(tool._RECORDED.read_text())["images"]
    answers = tmp_path / "answers.json"
    answers.write_text(json.dumps({"images": images, "answers": {}}))
    result = _run(f"--source={folder}", f"--answers={answers}")
    assert result.returncode == 0, result.stderr
    head, *rows = result.stdout.splitlines()
    assert head.split()[:3] == ["weights", "image", "probability"]
    assert rows[0].split()[0] == WEIGHTS.name
    assert rows[0].endswith("not recorded")
    assert "Sets of weights restored: 1, not checked: 0." in result.stdout

    wrong = {"scikit-learn/china.jpg": {"top5": [[1, 0.99]]}}
    answers.write_text(json.dumps({"images": images, "answers": {WEIGHTS.name: wrong}}))
    result = _run(f"--source={folder}", f"--answers={answers}")
    assert result.returncode == 1
    assert "DIFFERS" in result.stdout
    assert "Answers compared: 1, different: 1." in result.stdout


def test_weights_that_are_not_what_they_say(tmp_path):
    small_weights.save(
        tmp_path / f"{WEIGHTS.name}.ckpt", {"x": small_weights.values().popitem()[1]}
    )
    result = _run(f"--source={tmp_path}")
    assert result.returncode == 1
    assert f"{WEIGHTS.name}: not checked: Checkpoint" in result.stdout
    assert "does not hold the" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--source=/absent"], "error: --source=/absent is not a folder."),
        (["mobilenet_v2_0.5_96"], "error: mobilenet_v2_0.5_96 needs "),
        (["nothing"], "error: Unknown network or set of weights 'nothing'."),
    ],
)
def test_mistakes_are_one_line(arguments, message):
    result = _run(*arguments)
    assert result.returncode == 1
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1
