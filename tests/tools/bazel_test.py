"""tools/bazel on machines that have, or lack, what it looks for.

Each machine is a PATH with nothing but what the case puts there; the programs that a case puts
there write down how they were called.
"""

import pathlib
import shutil
import subprocess

import pytest

_LAUNCHER = pathlib.Path("tools/bazel").absolute()


@pytest.fixture
def machine(tmp_path):
    """Returns a folder of programs, the PATH of the machine, with what every machine has."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("bash", "dirname", "env", "cat", "chmod"):
        (programs / name).symlink_to(shutil.which(name))
    return programs


def _install(machine, name, body='echo "$0 $*"'):
    program = machine / name
    program.write_text(f"#!{machine}/bash\n{body}\n")
    program.chmod(0o755)
    return program


def _run(machine, *arguments, **environ):
    return subprocess.run(
        [machine / "bash", _LAUNCHER, *arguments],
        env={"PATH": str(machine), **environ},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("name", ["bazel-4.2.3", "bazel-4", "bazel", "bazelisk"])
def test_finds_bazel(machine, name):
    _install(machine, "python3", "echo 3.11")
    bazel = _install(machine, name)
    result = _run(machine, "test", "//...")
    assert result.stdout == f"{bazel} test //...\n"
    assert result.returncode == 0


def test_runs_what_the_caller_names(machine):
    _install(machine, "python3", "echo 3.11")
    _install(machine, "bazel-4")
    named = _install(machine, "downloaded")
    assert _run(machine, "info", BAZEL_REAL=str(named)).stdout == f"{named} info\n"


def test_finds_another_where_the_named_one_is_missing(machine):
    _install(machine, "python3", "echo 3.11")
    bazel = _install(machine, "bazel-4")
    result = _run(machine, "info", BAZEL_REAL=str(machine / "bazel-4.2.3"))
    assert result.stdout == f"{bazel} info\n"


def test_does_not_call_its_caller_again(machine):
    _install(machine, "python3", "echo 3.11")
    _install(machine, "bazel", f'BAZEL_REAL={machine}/missing exec {machine}/bash {_LAUNCHER} "$@"')
    result = _run(machine, "info")
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1


def test_without_apt_says_in_one_line_what_to_do(machine):
    result = _run(machine, "info")
    assert result.returncode == 1
    assert result.stderr.splitlines() == [
        "tools/bazel: needs Bazel 4.2.3 and a python3 with pip on the PATH: install them first."
    ]


@pytest.mark.parametrize(
    ("python", "fault"),
    [("echo 3.10", "is Python 3.10"), ("echo 3.1", "is Python 3.1"), ("exit 1", "does not run")],
)
def test_another_python_is_one_line(machine, python, fault):
    _install(machine, "python3", "echo 3.13")
    _install(machine, "bazel-4")
    other = _install(machine, "other", python)
    result = _run(machine, "info", SLIM_PYTHON=str(other))
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.splitlines() == [
        f"tools/bazel: {other} {fault}; this project runs on Python 3.11, 3.12, 3.13; name one "
        "with SLIM_PYTHON=/path/to/python3"
    ]


def _apt_get(machine):
    """An apt-get that installs a Bazel and a pip, and writes down what it was asked for."""
    body = f"""echo "$*" >> {machine}/apt.log
[[ $1 == install ]] || exit 0
echo '#!{machine}/bash
echo 3.11' > {machine}/python3
echo '#!{machine}/bash
echo installed "$*"' > {machine}/bazel-4
chmod +x {machine}/python3 {machine}/bazel-4"""
    return _install(machine, "apt-get", body)


@pytest.mark.parametrize("user", ["root", "sudo"])
def test_installs_with_apt(machine, user):
    _apt_get(machine)
    _install(machine, "id", f"echo {0 if user == 'root' else 1000}")
    _install(machine, "sudo", 'shift; [[ $1 == true ]] || exec "$@"')
    result = _run(machine, "info")
    assert result.stdout == "installed info\n"
    assert (machine / "apt.log").read_text().splitlines() == [
        "update -qq",
        "install -y -qq -o DPkg::Lock::Timeout=300 bazel-bootstrap python3-pip",
    ]


def test_installs_only_what_is_missing(machine):
    _apt_get(machine)
    _install(machine, "id", "echo 0")
    _install(machine, "bazel-4")
    _install(machine, "python3", "exit 1")
    _run(machine, "info")
    assert "=300 python3-pip\n" in (machine / "apt.log").read_text()


def test_without_the_right_to_install_says_what_to_run(machine):
    _apt_get(machine)
    _install(machine, "id", "echo 1000")
    _install(machine, "sudo", "exit 1")
    result = _run(machine, "info")
    assert result.stderr.splitlines() == [
        "tools/bazel: missing: bazel-bootstrap python3-pip. "
        "Run: sudo apt-get install -y bazel-bootstrap python3-pip"
    ]
