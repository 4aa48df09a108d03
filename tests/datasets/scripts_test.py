"""The programs of the original that lie in datasets/, started as files from any folder."""

import os
import pathlib
import subprocess
import sys

import pytest

SLIM = pathlib.Path(__file__).parents[2] / "slim"
SCRIPTS = ("build_imagenet_data", "preprocess_imagenet_validation_data", "process_bounding_boxes")


@pytest.mark.parametrize("script", SCRIPTS)
def test_runs_as_a_file_without_a_path_to_the_library(script, tmp_path):
    others = [path for path in sys.path if path and pathlib.Path(path).name != "slim"]
    result = subprocess.run(
        [sys.executable, SLIM / f"datasets/{script}.py", "--help"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(others)},
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert f"python -m datasets.{script} " in result.stdout
