"""Starts the program that converts weights as a user does."""

import os
import pathlib
import subprocess
import sys

import pytest

from slim_internal.ground import cli
from tests.slim_internal.parts.checkpoints import small_weights

_SCRIPT = pathlib.Path(cli.__file__).parents[3] / "convert_checkpoint.py"


def _run(*arguments):
    return subprocess.run(
        [sys.executable, _SCRIPT, *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_there_and_back(tmp_path):
    checkpoint = small_weights.save(tmp_path / "in.ckpt", small_weights.values())
    file, back = tmp_path / "w.weights.h5", tmp_path / "back.ckpt"
    model = "--model_name=mobilenet_v1_025"
    result = _run(model, f"--checkpoint_path={checkpoint}", f"--output_file={file}")
    assert result.returncode == 0, result.stderr
    assert result.stdout == f"Wrote {file}: 137 variables, 1001 classes.\n"
    result = _run(model, f"--weights_file={file}", f"--output_file={back}")
    assert result.returncode == 0, result.stderr
    assert result.stdout == f"Wrote {back}: 137 variables, 1001 classes.\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--output_file=x.ckpt"], "error: --model_name is required: name of the network."),
        (["--model_name=vgg_16"], "error: --output_file is required: file to write."),
        (
            ["--model_name=vgg_16", "--output_file=x.ckpt"],
            "error: Give either --weights_file or --checkpoint_path.",
        ),
        (
            ["--model_name=resnet_v1_50", "--output_file=x.ckpt", "--weights_file=w.h5"],
            "error: Weights of Keras cannot become resnet_v1_50 or the other way round: Keras puts",
        ),
    ],
)
def test_mistakes_are_one_line(arguments, message):
    result = _run(*arguments)
    assert result.returncode == 1
    assert result.stderr.startswith(message)
    assert len(result.stderr.splitlines()) == 1
