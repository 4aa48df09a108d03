"""The tour through all programs, run as a new user runs it: once, stopped, and again."""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
from absl import flags as absl_flags
from PIL import Image

import quickstart
from slim_internal.ground.cli import config_flags
from slim_internal.ground.errors import UserError

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


def test_training_and_evaluation_say_how_long_they_took_to_start(tour):
    _, output = tour
    starts = re.findall(r"^Start: (.*)$", output, re.MULTILINE)
    assert [re.sub(r"\d+\.\d s", "T", start) for start in starts] == [
        "TensorFlow T, graph T, variables T, first step T",
        "TensorFlow T, weights T, graph T, first batch T",
    ]


def test_the_readme_shows_what_it_prints(tour):
    folder, output = tour
    readme = pathlib.Path("README.md").read_text(encoding="utf-8")
    shown, *_ = re.findall(r"^```text\n(.*?)^```", readme, re.DOTALL | re.MULTILINE)
    printed = _without_numbers(output.replace(f"{folder}/", "")).splitlines()
    assert [line for line in _without_numbers(shown).splitlines() if line not in printed] == []


def _without_numbers(text: str) -> str:
    return re.sub(r" *\d[\d.,]*", " 0", text)  # They stand at the right of their column.


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


@pytest.fixture(scope="module")
def own_images(tmp_path_factory):
    """A folder of bright and dark images, each class with ten."""
    folder = tmp_path_factory.mktemp("images")
    random = np.random.default_rng(0)
    for name, low in (("bright", 128), ("dark", 0)):
        (folder / name).mkdir()
        for number in range(10):
            pixels = random.integers(low, low + 128, (40, 40, 3), np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    return folder


def test_the_tour_on_own_images_ends_with_accuracy_interval_and_page(own_images, tmp_path):
    flags = [f"--source={own_images}", "--recipe=own_images_scratch_small"]
    flags += ["--channels=1", "--image_size=64"]
    process = _start(tmp_path, *flags, "--max_number_of_steps=2")
    output, _ = process.communicate()
    assert process.returncode == 0, output
    shown = re.findall(r"^\S+ \S*?(\w+)\.py \\\n(?:    .*\n)+", output, re.MULTILINE)
    assert shown == [
        "download_and_convert_data",
        "inspect_dataset",
        "train_image_classifier",
        "eval_image_classifier",
        "export_inference_graph",
        "classify_image",
    ]
    assert "recipes/own_images_scratch_small.flags" in output
    described = json.loads((tmp_path / "quickstart" / "model.json").read_text())
    assert (described["channels"], described["image_size"]) == (1, 64)
    *_, accuracy, page = output.splitlines()
    metrics = json.loads((tmp_path / "quickstart" / "eval" / "metrics.json").read_text())
    low, high = metrics["accuracy_interval"]
    assert accuracy == (
        f"Accuracy: {metrics['accuracy']:.1%} of 4 images, 95 % interval {low:.1%} to {high:.1%}"
    )
    assert pathlib.Path(page.removeprefix("Page: ")).is_file()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--source=missing"], "--source=missing is not a folder."),
        (["--recipe=own_images_network"], "applies to your own images: give --source=FOLDER."),
        (["--channels=1"], "--channels=1 applies to your own images: give --source=FOLDER."),
        (["--source=.", "--recipe=own"], "--recipe must be one of own_images_classifier,"),
        (
            ["--source=.", "--recipe=own_images_scratch_small", "--checkpoint_path=x"],
            "starts from random weights: leave out --checkpoint_path",
        ),
        (["--source=.", "--checkpoint_path=nowhere"], "No checkpoint 'nowhere'."),
        (["--source=.", "--model_name=mobilenet"], "mobilenet"),
    ],
)
def test_a_wrong_flag_is_one_line(tmp_path, monkeypatch, flags, message):
    monkeypatch.chdir(tmp_path)
    values = absl_flags.FlagValues()
    config_flags.define(quickstart.Tour, values)
    values(["quickstart", *flags])
    with pytest.raises(UserError) as error:
        quickstart.plan(config_flags.read(quickstart.Tour, values))
    assert message in str(error.value)
    assert "\n" not in str(error.value)
