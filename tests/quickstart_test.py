"""The tour through all programs, run as a new user runs it: once, stopped, and again."""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys

import pytest

import quickstart

_STEPS = 60  # Enough to tell a trained network from chance.


def _start(folder: pathlib.Path, *flags: str) -> subprocess.Popen:
    inherited = {k: v for k, v in os.environ.items() if k != "BUILD_WORKING_DIRECTORY"}
    return subprocess.Popen(
        [sys.executable, quickstart.__file__, *flags],
        env={**inherited, "PYTHONPATH": os.pathsep.join(sys.path), "HOME": str(folder)},
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


@pytest.fixture(scope="module")
def tour(tmp_path_factory):
    """The folder after a run that was stopped while training and one that went on; its output."""
    folder = tmp_path_factory.mktemp("user")
    first = _start(folder, "--max_number_of_steps=100000")
    lines = []
    for line in first.stdout:
        lines.append(line)
        if line.startswith("step 100/"):
            os.killpg(first.pid, signal.SIGINT)  # As a terminal does: to every process.
            break
    rest = first.stdout.read()
    assert first.wait() == 130, "".join(lines) + rest
    assert "Run it again to continue." in rest

    # The shell leaves this ~ to the program.
    second = _start(folder, "--output_dir=~/quickstart", f"--max_number_of_steps={100 + _STEPS}")
    output, _ = second.communicate()
    assert second.returncode == 0, output
    return folder, output


def test_every_step_leaves_what_it_promises(tour):
    folder, output = tour
    written = folder / "quickstart"
    metrics = json.loads((written / "eval" / "metrics.json").read_text())
    assert metrics["num_examples"] == 360
    assert metrics["step"] >= 100 + _STEPS
    assert metrics["accuracy"] > 0.8
    assert f"{metrics['accuracy']:.2%}" in output
    for name in re.findall(r"^  ([\w.]+)/? ", output.partition(str(written))[2], re.MULTILINE):
        assert (written / name).exists(), name
    assert (written / "train" / "metrics.jsonl").exists()
    assert output.count("seven") == 1


def test_the_readme_shows_what_it_prints(tour):
    folder, output = tour
    readme = pathlib.Path("README.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"^```text\n(.*?)^```", readme, re.DOTALL | re.MULTILINE)
    printed = _without_numbers(output.replace(f"{folder}/", "")).splitlines()
    assert [line for line in _without_numbers(shown).splitlines() if line not in printed] == []


def _without_numbers(text: str) -> str:
    return re.sub(r"\d[\d.,]*", "0", text)


def test_a_stopped_run_is_continued_and_finished_work_reused(tour):
    _, output = tour
    assert "quickstart already exists" in output
    assert "all files were there, none was written" in output
    assert re.search(r"[Cc]ontinuing from .*model\.ckpt-\d+", output), output


def test_the_commands_shown_are_commands_that_run(tour):
    folder, output = tour
    shown = re.findall(r"^\S+ \S*?(\w+)\.py \\\n(?:    .*\n)+", output, re.MULTILINE)
    assert shown == [
        "download_and_convert_data",
        "train_image_classifier",
        "eval_image_classifier",
        "export_inference_graph",
        "classify_image",
    ]
    command = re.search(r"^\S+ \S*classify_image\.py \\\n(?:    .*\n)+", output, re.MULTILINE)
    answer = subprocess.run(
        command[0],
        shell=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.splitlines()[0] == str(folder / "quickstart" / "digit.png")
