"""Programs under the limits of a shell: one line each, and nothing half-written."""

import os
import resource
import signal
import subprocess
import sys
import time

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


SUPERVISED = """
import os, signal, sys, time
from slim_internal.ground.cli import supervision
supervision.run_in_child()
print("begun", flush=True)
"""
DEATHS = {
    # What the program does -> exit code, what it prints, whether the parent says something.
    "aborts": ("os.write(2, b'terminate called'); os.abort()", 1, "begun\n", True),
    "jumps": ("os.kill(os.getpid(), signal.SIGSEGV)", 1, "begun\n", True),
    "is killed": ("os.kill(os.getpid(), signal.SIGKILL)", 1, "begun\n", True),
    "is ended by glibc": ("os._exit(127)", 1, "begun\n", True),
    "ends well": ("print('done')", 0, "begun\ndone\n", False),
    "fails": ("sys.exit(3)", 3, "begun\n", False),
    "is terminated": ("os.kill(os.getpid(), signal.SIGTERM)", 143, "begun\n", False),
}


def start_limited(script: str, mebibytes: int) -> subprocess.Popen:
    return start_under(script, resource.RLIMIT_AS, mebibytes << 20)


def start_under(script: str, limit: int, value: int) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))},
        preexec_fn=lambda: resource.setrlimit(limit, (value, value)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.skipif(sys.platform != "linux", reason="others do not keep to the limit")
@pytest.mark.parametrize(("deed", "code", "printed", "explained"), DEATHS.values(), ids=DEATHS)
def test_the_death_of_a_program_of_little_memory_is_one_line(deed, code, printed, explained):
    process = start_limited(SUPERVISED + deed, 4096)
    out, errors = process.communicate(timeout=60)
    assert (process.returncode, out) == (code, printed)
    lines = errors.splitlines()
    assert len(lines) == explained
    if explained:
        assert lines[0].startswith("error: Out of memory: ulimit -v allows 4.3 GB. Raise it, or")


CAUSES = {
    # A limit and its value, what the program does, and what its parent says.
    "stack": (
        *(resource.RLIMIT_STACK, 512 << 10, "os.kill(os.getpid(), signal.SIGSEGV)"),
        "Too small a stack: ulimit -s allows 524.3 kB. Raise it: ulimit -s 8192.",
    ),
    "threads": (
        *(resource.RLIMIT_NPROC, 2000, "os.abort()"),
        "Too few threads: ulimit -u allows 2000, those of your other programs counted. Raise it:"
        " ulimit -u 4096.",
    ),
    "time": (
        *(resource.RLIMIT_CPU, 1, "while True: pass"),
        "Out of CPU time: ulimit -t allows 1 s. Raise it: ulimit -t unlimited.",
    ),
}


@pytest.mark.skipif(sys.platform != "linux", reason="others do not keep to the limit")
@pytest.mark.parametrize(("limit", "value", "deed", "message"), CAUSES.values(), ids=CAUSES)
def test_the_limit_that_a_program_died_of_is_named(limit, value, deed, message):
    process = start_under(SUPERVISED + deed, limit, value)
    assert process.communicate(timeout=60) == ("begun\n", f"error: {message}\n")
    assert process.returncode == 1


@pytest.mark.skipif(sys.platform != "linux", reason="others do not keep to the limit")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_signal_to_the_parent_reaches_the_program(number):
    deed = "print(os.getpid(), flush=True); time.sleep(60)"
    process = start_limited(SUPERVISED + deed, 4096)
    process.stdout.readline()
    child = int(process.stdout.readline())
    process.send_signal(number)
    assert process.wait(timeout=20) == (143 if number == signal.SIGTERM else -number)
    deadline = time.monotonic() + 20
    while os.path.exists(f"/proc/{child}") and alive(child):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.communicate()


def alive(process: int) -> bool:
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


FAILURES = {
    "map": (ImportError("lib.so: failed to map segment from shared object"), "Too little memory"),
    "allocate": (ImportError("lib.so: Cannot allocate memory"), "Too little memory"),
    "python": (SystemError("<f> returned NULL without setting an exception"), "Too little memory"),
    "python without a word": (SystemError("error return without exception set"), "Too little"),
    "memory": (MemoryError(), "Too little memory"),
    "threads": (RuntimeError("can't start new thread"), "Too little memory"),
    "C++": (RuntimeError("std::bad_alloc"), "Too little memory"),
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


def test_what_is_lacking_is_said():
    threads = RuntimeError("can't start new thread")
    assert limits.is_out_of_memory(threads)
    assert limits.shortage(threads).startswith("The system starts no more threads")
    assert limits.shortage(MemoryError()).startswith("Out of memory.")


def test_other_failures_stay_what_they_are():
    with pytest.raises(ImportError, match="No module"):
        load(ImportError("No module named 'tensorflow'"))


LIMITED = """
from slim_internal.ground.cli import limits
with limits.loading_explained():
    raise {error}
"""


@pytest.mark.skipif(sys.platform != "linux", reason="others do not keep to the limit")
@pytest.mark.parametrize(
    ("error", "message"),
    [
        ("AttributeError('half a module')", "UserError: Too little memory to load TensorFlow."),
        ("OSError(24, 'Too many open files')", "UserError: Too many open files: ulimit -n"),
        ("ModuleNotFoundError('No module named x')", "ModuleNotFoundError: No module named x"),
    ],
)
def test_what_else_fails_while_memory_is_limited(error, message):
    process = start_limited(LIMITED.format(error=error), 4096)
    _, errors = process.communicate(timeout=60)
    assert message in errors.splitlines()[-1]
