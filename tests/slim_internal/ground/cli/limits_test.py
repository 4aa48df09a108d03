"""Programs under the limits of a shell: one line each, and nothing half-written."""

import os
import resource
import subprocess
import sys

import pytest

from slim_internal.ground.cli import limits
from slim_internal.ground.errors import UserError

_SCRIPT = """
from slim_internal.ground import cli
cli.run(lambda arguments: None)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="others do not keep to the limit")
@pytest.mark.parametrize("mebibytes", [200, 700, 1300])
def test_little_address_space_is_one_line(tmp_path, mebibytes):
    (tmp_path / "script.py").write_text(_SCRIPT)
    size = mebibytes << 20
    result = subprocess.run(
        [sys.executable, tmp_path / "script.py"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (size, size)),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: TensorFlow needs at least 1.6 GB of address space; ulimit -v")


FAILURES = {
    "map": (ImportError("lib.so: failed to map segment from shared object"), "Too little memory"),
    "allocate": (ImportError("lib.so: Cannot allocate memory"), "Too little memory"),
    "python": (SystemError("<f> returned NULL without setting an exception"), "Too little memory"),
    "memory": (MemoryError(), "Too little memory"),
    "files": (OSError(24, "Too many open files"), "ulimit -n allows"),
    "library": (ImportError("lib.so: Too many open files"), "ulimit -n allows"),
}


def load(error: Exception) -> None:
    with limits.loading_explained():
        raise error


@pytest.mark.parametrize(("error", "message"), FAILURES.values(), ids=FAILURES)
def test_loading_that_fails_for_want_of_something(error, message):
    with pytest.raises(UserError, match=message):
        load(error)


def test_other_failures_stay_what_they_are():
    with pytest.raises(ImportError, match="No module"):
        load(ImportError("No module named 'tensorflow'"))
