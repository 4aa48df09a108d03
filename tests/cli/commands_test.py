"""Commands are shown as a shell takes them, and end as the program they start ends."""

import pytest

from cli import commands
from cli.commands import Command


@pytest.mark.parametrize(
    ("environment", "start"),
    [
        ({}, "python classify_image.py"),
        ({"BUILD_WORKING_DIRECTORY": "/home/user"}, "bazel run //slim:classify_image --"),
    ],
    ids=["python", "bazel"],
)
def test_shown_with_what_the_user_started(monkeypatch, environment, start):
    monkeypatch.delenv("BUILD_WORKING_DIRECTORY", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    command = Command("classify_image", {"graph": "my graph.pb", "top_k": 3}, ["a.png"])
    assert (
        command.shown() == f"{start} \\\n    '--graph=my graph.pb' \\\n    --top_k=3 \\\n    a.png"
    )


@pytest.mark.parametrize("code", [0, 1, 7])
def test_exit_code_is_that_of_the_program(monkeypatch, tmp_path, code):
    (tmp_path / "program.py").write_text(
        f"import sys; assert sys.argv[1:] == ['--size=3', 'rest']; sys.exit({code})"
    )
    monkeypatch.setattr(commands, "__file__", str(tmp_path / "cli" / "commands.py"))
    assert Command("program", {"size": 3}, ["rest"]).run() == code
