"""`//tools:python`, run from a folder of the user as `bazel run` does."""

import os
import pathlib
import subprocess

import pytest

_PYTHON = pathlib.Path("tools/python").absolute()


def _run(*arguments, folder, stdin=""):
    return subprocess.run(
        [_PYTHON, *arguments],
        env=os.environ | {"BUILD_WORKING_DIRECTORY": str(folder)},
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "stdin"),
    [
        (["-c", "from nets import cifarnet; mynet = cifarnet.cifarnet; print('done')"], ""),
        (
            [
                "-c",
                "import tensorflow.contrib.slim as slim; eval = slim.evaluation.evaluate_once;"
                " print('done')",
            ],
            "",
        ),
        (["script.py"], ""),
        (["-m", "script"], ""),
        (["-c", "import train_image_classifier, quickstart; print('done')"], ""),
        (["-"], "from slim_internal.ground import errors; import script"),
    ],
    ids=["command", "line of 2017", "script", "module", "programs", "interactive"],
)
def test_runs(tmp_path, arguments, stdin):
    (tmp_path / "script.py").write_text("from slim_internal.ground import errors\nprint('done')\n")
    result = _run(*arguments, folder=tmp_path, stdin=stdin)
    assert result.returncode == 0, result.stderr
    assert result.stdout == "done\n"


def test_relative_paths_mean_the_folder_of_the_user(tmp_path):
    (tmp_path / "data.json").write_text('{"a": 1}')
    result = _run("-m", "json.tool", "--compact", "data.json", folder=tmp_path)
    assert result.stdout == '{"a":1}\n'


def test_arguments_and_exit_code_pass_through(tmp_path):
    result = _run("-c", "import sys; sys.exit(sys.argv[1])", "--flag", folder=tmp_path)
    assert result.returncode == 1
    assert result.stderr == "--flag\n"
