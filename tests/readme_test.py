"""The commands of README.md and docs/ are commands that run, and what it points at is there."""

import functools
import os
import pathlib
import re
import shlex
import subprocess
import sys

import pytest

from nets import nets_factory
from slim_internal.ground import cli
from slim_internal.parts.checkpoints import published, restore

_PATHS = [pathlib.Path("README.md"), *sorted(pathlib.Path("docs").glob("*.md"))]
_PAGES = {path: path.read_text(encoding="utf-8") for path in _PATHS}
_README = _PAGES[_PATHS[0]]
_SLIM = pathlib.Path(cli.__file__).parents[3]

# The commands of the original are typed by `original_commands_test`.
_TEXT = "\n".join(page for path, page in _PAGES.items() if path.stem != "original")
_BLOCKS = re.findall(r"^```(?:bash|sh)\n(.*?)^```", _TEXT, re.DOTALL | re.MULTILINE)
_PROSE = re.sub(r"^```.*?^```", "", _TEXT, flags=re.DOTALL | re.MULTILINE)
_INLINE = [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", _PROSE)]
_COMMANDS = "".join(_BLOCKS).replace("\\\n", " ").splitlines() + _INLINE
_START = re.compile(
    r"(?:tools/)?bazel run (?:--config=\w+ )?//slim:(?!NAME)(\w+)(?: -- )?"
    r"|bazel-bin/slim/(\w+) "
    r"|cd slim && \S*python (\w+)\.py ?"
    r"|\S*python slim/(?!NAME)(\w+)\.py ?"
    r"|(?=\w+ --)(?!NAME|tensorboard)(\w+) "  # A program and a flag, in the text.
)

# Program of slim/ -> the flags and arguments of each command that starts it.
_PROGRAMS = [
    (next(filter(None, start.groups())), shlex.split(command[start.end() :], comments=True))
    for command in _COMMANDS
    if (start := _START.match(command))
]

# Flags of other programs than ours, which the text names too.
_FOREIGN_FLAGS = {
    "before",
    "config",
    "flagfile",
    "html_file",
    "json_file",
    "logdir",
    "network",
    "only",
    "require-hashes",
    "rounds",
    "test_filter",
}


def _run(*arguments: str | pathlib.Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )


@functools.cache
def _programs() -> list[str]:
    return sorted(path.stem for path in _SLIM.glob("*.py") if path.stem != "__init__")


@pytest.mark.parametrize(("name", "arguments"), _PROGRAMS)
def test_every_command_has_flags_that_its_program_knows(name, arguments):
    assert name in _programs()
    result = _run(_SLIM / f"{name}.py", *arguments, "--help")
    assert result.returncode == 0, result.stderr


def test_every_flag_in_the_text_is_a_flag_of_some_program():
    named = {flag for code in _INLINE for flag in re.findall(r"(?:^|[ `])--([\w-]+)", code)}
    known = set(_FOREIGN_FLAGS)
    for name in _programs():
        helped = _run(_SLIM / f"{name}.py", "--help").stdout
        known |= set(re.findall(r"--(?:\[no\])?(\w+)", helped))
    assert named - known == set()


def test_every_program_is_in_the_table_and_in_a_command():
    table = re.findall(r"^\| `(\w+)` \|", _README, re.MULTILINE)
    assert sorted(table) == _programs()
    assert {name for name, _ in _PROGRAMS} == set(_programs())


def test_commands_are_written_in_one_way():
    ours = [command for command in "".join(_BLOCKS).splitlines() if "bazel" in command]
    assert [line for line in ours if not re.search(r"(^|[ ;|])tools/bazel ", line)] == []


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
    assert published.get(flags["checkpoint_path"]).network.name == flags["model_name"]


def test_weights_that_are_named_are_published():
    named = {
        argument.removeprefix("--checkpoint_path=")
        for name, arguments in _PROGRAMS
        for argument in arguments
        if argument.startswith("--checkpoint_path=") and "/" not in argument
    }
    assert named
    for name in named:
        assert published.get(name).checkpoint.url.startswith("http")


def test_python_snippets_run():
    snippets = {shlex.split(command)[-1] for command in _COMMANDS if " -c " in command}
    assert snippets
    for snippet in snippets:
        result = _run("-c", snippet)
        assert result.returncode == 0, result.stderr


def test_pytest_is_given_files_and_options_that_exist():
    commands = [shlex.split(command) for command in _COMMANDS if " -m pytest " in command]
    assert commands
    for command in commands:
        paths = [word for word in command if word.startswith("tests/")]
        assert paths
        assert all(pathlib.Path(path).is_file() for path in paths)
        options = {word.partition("=")[0] for word in command if word.startswith("--")}
        assert options <= {"--network"}


def _anchors(text: str) -> set[str]:
    """Returns the names that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", _PATHS, ids=str)
def test_links_lead_somewhere(path):
    targets = re.findall(r"\]\(([^)]+)\)", _PAGES[path])
    for target in targets:
        file, _, anchor = target.partition("#")
        if target.startswith("http") or file in ("CHANGELOG.md", "CONTRIBUTING.md"):
            continue
        linked = path.parent / file if file else path
        assert linked.is_file(), target
        assert not anchor or anchor in _anchors(linked.read_text(encoding="utf-8")), target


def test_contents_lists_every_chapter():
    (contents,) = re.findall(r"^\*\*Contents:\*\* (.*?)\n\n", _README, re.DOTALL | re.MULTILINE)
    assert re.findall(r"\]\(#([^)]+)\)", contents) == [
        heading.lower().replace(" ", "-") for heading in re.findall(r"^## (.*)$", _README, re.M)
    ]


def test_images_are_small_and_described():
    images = re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", _README)
    assert images
    for description, file in images:
        assert description
        assert pathlib.Path(file).stat().st_size < 100_000


@pytest.mark.parametrize("floor", ["ground", "parts", "programs"])
def test_the_table_of_folders_names_every_room(floor):
    (line,) = re.findall(rf"^\| `slim/slim_internal/{floor}/` \| (.*) \|$", _README, re.MULTILINE)
    rooms = {path.parent.name for path in (_SLIM / "slim_internal" / floor).glob("*/__init__.py")}
    assert set(re.findall(r"`(\w+)`", line)) == rooms
