"""Starts the program that fetches published weights as a user does."""

import os
import pathlib
import subprocess
import sys

import pytest

from slim_internal.ground import cli
from tests.slim_internal.parts.checkpoints import small_weights
from tests.slim_internal.parts.checkpoints.small_weights import WEIGHTS

_SLIM = pathlib.Path(cli.__file__).parents[3]


def _run(script, cache, *arguments):
    return subprocess.run(
        [sys.executable, _SLIM / f"{script}.py", *arguments],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "SLIM_CHECKPOINT_CACHE": str(cache),
        },
        capture_output=True,
        text=True,
        check=False,
    )


def test_list(tmp_path):
    result = _run("download_checkpoint", tmp_path, "--list", "--model_name=mobilenet_v1_025")
    assert result.returncode == 0, result.stderr
    head, *rows, cache = result.stdout.splitlines()
    assert head.split() == [
        *("weights", "model_name", "size", "classes", "top-1", "top-5", "cached", "address")
    ]
    assert len(rows) == 8
    assert f"Cache: {tmp_path}" == cache
    assert [*rows[6].split()][:7] == [
        *("mobilenet_v1_0.25_128", "mobilenet_v1_025", "128", "1001", "41.5", "66.3", "no")
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "error: --model_name is required; --list prints what there is."),
        (["--model_name=inception_v33"], "Did you mean 'inception_v3'?"),
        (["--model_name=lenet"], "error: No weights of lenet were ever published."),
        (
            ["--model_name=vgg_16", "--source=ftp://host"],
            "error: Cannot fetch from ftp://host. A source is a folder,",
        ),
        (["--model_name=vgg_16", "--source=/absent"], "error: No such folder: /absent"),
    ],
)
def test_mistakes_are_one_line(tmp_path, arguments, message):
    result = _run("download_checkpoint", tmp_path, *arguments)
    assert result.returncode == 1
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_from_weights_to_an_answer(tmp_path):
    source, cache = tmp_path / "source", tmp_path / "cache"
    small_weights.save(source / f"{WEIGHTS.name}.ckpt", small_weights.values())
    result = _run(
        "download_checkpoint", cache, f"--model_name={WEIGHTS.name}", f"--source={source}"
    )
    assert result.returncode == 0, result.stderr
    path, hint = result.stdout.splitlines()
    assert path == f"{cache}/{WEIGHTS.name}/{WEIGHTS.name}.ckpt"
    assert hint == (
        "Unless given: --image_size=128 (--eval_image_size in evaluation, --train_image_size"
        " in training)."
    )
    assert "sha256:" in result.stderr
    image = small_weights.image(tmp_path / "image.png")
    result = _run(
        "classify_image",
        cache,
        "--model_name=mobilenet_v1_025",
        f"--checkpoint_path={WEIGHTS.name}",
        image,
    )
    assert result.returncode == 0, result.stderr
    assert len(result.stdout.splitlines()) == 6
    assert f"From the published weights {WEIGHTS.name}: " in result.stderr
    assert " --image_size=128" in result.stderr
