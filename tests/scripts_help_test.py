"""Every script answers `--help` at once and in lines that fit a terminal."""

import os
import pathlib
import subprocess
import sys

import pytest

import slim_internal

_SLIM = pathlib.Path(slim_internal.__file__).parents[1]
_SCRIPTS = [
    *sorted(_SLIM.glob("*.py")),
    _SLIM / "datasets/build_imagenet_data.py",
    _SLIM / "nets/mobilenet_v1_eval.py",
    _SLIM / "nets/mobilenet_v1_train.py",
    _SLIM / "nets/post_training_quantization.py",
]
_SLOW = ("tensorflow", "numpy", "PIL")

# Runs a script as `python script.py --help` does, and then says which slow modules it loaded.
_RUN = f"""
import runpy, sys
sys.argv = sys.argv[1:]
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
except SystemExit as error:
    code = error.code
print("loaded:", *(name for name in {_SLOW} if name in sys.modules), file=sys.stderr)
sys.exit(code)
"""


@pytest.mark.parametrize("script", [path for path in _SCRIPTS if path.stem != "__init__"], ids=str)
def test_help_is_quick_and_fits(script):
    result = subprocess.run(
        [sys.executable, "-c", _RUN, str(script), "--help"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(_SLIM), *sys.path])},
    )
    assert (result.returncode, result.stderr) == (0, "loaded:\n")
    lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= 100
    assert "All programs:" in lines
    assert "not supported" not in result.stdout
