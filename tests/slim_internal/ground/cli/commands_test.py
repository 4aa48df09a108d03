"""Commands are shown as a shell takes them, and end as the program they start ends."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from slim_internal.ground.cli import commands
from slim_internal.ground.cli.commands import Command

# Where the module lies below the folder of the scripts.
_PLACE = "slim_internal/ground/cli/commands.py"
_COMMAND = Command("classify_image", {"graph": "my graph.pb", "top_k": 3}, ["a.png"])


def test_shown_for_bazel(monkeypatch):
    monkeypatch.setenv("BUILD_WORKING_DIRECTORY", "/home/user")
    assert _COMMAND.shown() == (
        "bazel run //slim:classify_image -- \\\n"
        "    '--graph=my graph.pb' \\\n    --top_k=3 \\\n    a.png"
    )


@pytest.mark.parametrize(
    ("executable", "folder", "start"),
    [
        ("/usr/bin/python3", "/src/slim", "python3 classify_image.py"),
        ("/src/.venv/bin/python", "/src/slim", "../.venv/bin/python classify_image.py"),
        ("/src/.venv/bin/python", "/src", ".venv/bin/python slim/classify_image.py"),
        ("/src/.venv/bin/python", "/home/me", "/src/.venv/bin/python /src/slim/classify_image.py"),
    ],
    ids=["on_the_path", "in_slim", "above_slim", "elsewhere"],
)
def test_shown_so_that_it_runs_from_the_folder_of_the_user(monkeypatch, executable, folder, start):
    monkeypatch.delenv("BUILD_WORKING_DIRECTORY", raising=False)
    monkeypatch.setattr(sys, "executable", executable)
    monkeypatch.setattr(commands, "__file__", f"/src/slim/{_PLACE}")
    monkeypatch.setattr(commands.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(os, "getcwd", lambda: folder)
    assert _COMMAND.shown().startswith(f"{start} \\\n    '--graph=my graph.pb' \\\n")


@pytest.mark.parametrize("code", [0, 1, 7])
def test_exit_code_is_that_of_the_program(monkeypatch, tmp_path, code):
    (tmp_path / "program.py").write_text(
        f"import sys; assert sys.argv[1:] == ['--size=3', 'rest']; sys.exit({code})"
    )
    monkeypatch.setattr(commands, "__file__", str(tmp_path / _PLACE))
    assert Command("program", {"size": 3}, ["rest"]).run() == code


def test_sigterm_is_handed_on_and_waited_for(tmp_path):
    (tmp_path / _PLACE).parent.mkdir(parents=True)
    (tmp_path / "program.py").write_text(
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit('saved'))\n"
        "print('ready', flush=True)\n"
        "time.sleep(20)\n"
    )
    (tmp_path / _PLACE).write_text(pathlib.Path(commands.__file__).read_text())
    outer = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from slim_internal.ground.cli.commands import Command\n"
            "print(Command('program', {}).run())",
        ],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert outer.stdout.readline() == "ready\n"
    begin = time.monotonic()
    outer.send_signal(signal.SIGTERM)
    output, _ = outer.communicate()
    assert output == "saved\n1\n"
    assert time.monotonic() - begin < 10


def test_end_by_a_signal_is_told_as_shells_do(monkeypatch, tmp_path):
    (tmp_path / "program.py").write_text("import os; os.kill(os.getpid(), 9)")
    monkeypatch.setattr(commands, "__file__", str(tmp_path / _PLACE))
    assert Command("program", {}).run() == 137
