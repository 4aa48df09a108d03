"""The documents' commands are commands that run: programs, flags and scopes are the real ones."""

import os
import pathlib
import re
import shlex
import subprocess
import sys

import pytest

from nets import nets_factory
from slim_internal.ground import cli
from slim_internal.parts.checkpoints import restore

_README = pathlib.Path("README.md").read_text(encoding="utf-8")
_SLIM = pathlib.Path(cli.__file__).parents[3]

_WEIGHTS = pathlib.Path("docs/weights.md").read_text(encoding="utf-8")
_BLOCKS = re.findall(r"^```(?:bash|sh)\n(.*?)^```", _README + _WEIGHTS, re.DOTALL | re.MULTILINE)
_COMMANDS = "".join(_BLOCKS).replace("\\\n", " ").splitlines()
_START = re.compile(
    r"(?:tools/)?bazel run //slim:(\w+)(?: -- )?"
    r"|bazel-bin/slim/(\w+) "
    r"|cd slim && \S*python (\w+)\.py ?"
)

# Program of slim/ -> the flags and arguments of each command that starts it.
_PROGRAMS = [
    (next(filter(None, start.groups())), shlex.split(command[start.end() :], comments=True))
    for command in _COMMANDS
    if (start := _START.match(command))
]


def _run(*arguments: str | pathlib.Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(("name", "arguments"), _PROGRAMS)
def test_every_command_has_flags_that_its_program_knows(name, arguments):
    result = _run(_SLIM / f"{name}.py", *arguments, "--help")
    assert result.returncode == 0, result.stderr


def test_every_program_is_in_the_table_and_in_a_command():
    table = re.findall(r"^\| `(\w+)` \|", _README, re.MULTILINE)
    programs = {path.stem for path in _SLIM.glob("*.py") if path.stem != "__init__"}
    assert sorted(table) == sorted(programs)
    assert {name for name, _ in _PROGRAMS} | {"list_networks"} == programs


def test_fine_tuning_leaves_out_what_the_record_says():
    (given,) = (
        arguments for _, arguments in _PROGRAMS if any("exclude_scopes" in a for a in arguments)
    )
    flags = dict(argument.removeprefix("--").split("=", 1) for argument in given)
    scopes = flags["checkpoint_exclude_scopes"].split(",")
    network = nets_factory.get_network(flags["model_name"])
    assert set(scopes) <= {*network.classifier_scopes, *network.aux_scopes}
    assert all(restore.in_scopes(scope, scopes) for scope in network.classifier_scopes)
    assert flags["trainable_scopes"] == flags["checkpoint_exclude_scopes"]


def test_what_curl_gets_is_a_published_checkpoint():
    urls = {
        checkpoint.url
        for network in nets_factory.networks.values()
        for checkpoint in network.checkpoints
    }
    fetched = {command.split()[-1] for command in _COMMANDS if command.startswith("curl ")}
    assert fetched
    assert fetched <= urls


def test_python_snippets_run():
    snippets = {shlex.split(command)[-1] for command in _COMMANDS if " -c " in command}
    assert snippets
    for snippet in snippets:
        result = _run("-c", snippet)
        assert result.returncode == 0, result.stderr
