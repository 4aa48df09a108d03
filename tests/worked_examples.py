"""Reads the worked examples of CONTRIBUTING.md and carries them out exactly as they are written.

CONTRIBUTING.md says at its top how an example is written. It is carried out in a copy of the
repository; there, `bazel` and `tools/bazel` are this file, which starts the Python file of a target
directly.
"""

import dataclasses
import os
import pathlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence

# Under Bazel the files here are links into the repository, of which a copy needs all.
ROOT = pathlib.Path(os.path.realpath(__file__)).parents[1]

_NOT_COPIED = shutil.ignore_patterns(".*", "__pycache__", "bazel-*", "shared")

_HEADING = re.compile(r"^## Adding (?:a |an )?(?P<kind>.+)$", re.MULTILINE)
_BLOCK = re.compile(
    r"(?P<introduction>[^\n]+(?:\n[^\n]+)*)\n\n```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_EDIT = re.compile(
    r"New file `(?P<new>[^`]+)`:"
    r"|In `(?P<path>[^`]+)`(?:, below `(?P<below>[^`]+)`)?"
    r"(?:, (?P<place>after|before|instead of) `(?P<anchor>[^`]+)`|, at the end):"
)
_NETWORK_TEST = re.compile(r"//tests/nets:(?P<network>\w+)_(?P<kind>shape|restore)_test")


@dataclasses.dataclass(frozen=True)
class Edit:
    """One change by hand.

    Attributes:
      path: The file, from the top of the repository.
      place: "new file", "after", "before", "instead of" or "at the end".
      anchor: The line that `place` refers to, without its indentation.
      below: A line above it, where the anchor alone is not unique.
      text: What to write.
    """

    path: str
    place: str
    anchor: str | None
    below: str | None
    text: str

    def counts(self) -> bool:
        """Returns whether it is one of the places to touch; tests are not counted."""
        return not self.path.startswith("tests/")


@dataclasses.dataclass(frozen=True)
class Example:
    """The example of one kind: edits and, between and after them, commands.

    Attributes:
      kind: What it adds one of, as the heading says.
      steps: Edits, and scripts for the shell as plain text, in their order.
    """

    kind: str
    steps: tuple[Edit | str, ...]

    def hand_edits(self) -> int:
        """Returns how many places in code and documents are touched by hand."""
        return sum(isinstance(step, Edit) and step.counts() for step in self.steps)


def read(text: str) -> dict[str, Example]:
    """Returns the examples of a document by their kinds.

    Raises:
      ValueError: for a block of code whose introduction does not say what to do with it.
    """
    headings = [*_HEADING.finditer(text)]
    ends = [match.start() for match in re.finditer(r"^## ", text, re.MULTILINE)]
    found = {}
    for heading in headings:
        end = min((end for end in ends if end > heading.start()), default=len(text))
        steps = tuple(_steps(text[heading.end() : end]))
        if steps:
            found[heading["kind"]] = Example(heading["kind"], steps)
    return found


def _steps(section: str) -> Iterator[Edit | str]:
    for block in _BLOCK.finditer(section):
        if block["language"] == "text":  # What a command prints.
            continue
        introduction = " ".join(block["introduction"].split())
        if introduction.endswith("Run:"):
            yield block["text"]
            continue
        match = _EDIT.fullmatch(introduction)
        if match is None:
            raise ValueError(
                f"Says neither which file to edit and where, nor 'Run:': {introduction}"
            )
        yield Edit(
            path=match["new"] or match["path"],
            place="new file" if match["new"] else match["place"] or "at the end",
            anchor=match["anchor"],
            below=match["below"],
            text=block["text"],
        )


class Copy:
    """A copy of the repository in which examples are carried out."""

    def __init__(self, folder: pathlib.Path):
        """Copies the repository into a folder that does not exist yet."""
        shutil.copytree(ROOT, folder, ignore=_NOT_COPIED)
        self._folder = folder
        self._bin = folder / "bin"
        bazel = f'exec {sys.executable} -m tests.worked_examples "$@"'
        self._script(self._bin / "bazel", bazel)
        self._script(folder / "tools/bazel", bazel)
        self._script(self._bin / "python", f'exec {sys.executable} "$@"')
        self.run("git init -q . && echo /bin/ > .git/info/exclude")  # Tools ask git for the files.

    def carry_out(self, example: Example) -> None:
        """Makes the edits and runs the commands of an example, in their order.

        Raises:
          AssertionError: if a command fails; with what it printed.
        """
        for step in example.steps:
            if isinstance(step, Edit):
                self.edit(step)
            else:
                self.run(step)

    def edit(self, edit: Edit) -> None:
        """Makes one edit.

        Raises:
          ValueError: if its place does not exist, or is not the only one.
        """
        path = self._folder / edit.path
        if edit.place == "new file":
            if path.exists():
                raise ValueError(f"{edit.path} exists already")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(edit.text, encoding="utf-8")
            return
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        start = end = len(lines)
        if edit.anchor is not None:
            index = _line(edit, lines)
            start = index + (edit.place == "after")
            end = index + (edit.place != "before")
        lines[start:end] = [edit.text]
        path.write_text("".join(lines), encoding="utf-8")

    def run(self, script: str) -> str:
        """Runs commands in the copy and returns what they print.

        Raises:
          AssertionError: if one of them fails; with what was printed.
        """
        environment = {
            **os.environ,
            "HOME": str(self._folder),
            "PATH": os.pathsep.join([str(self._bin), os.environ.get("PATH", os.defpath)]),
            "PYTHONPATH": os.pathsep.join(
                [str(self._folder / "slim"), str(self._folder), *other_paths()]
            ),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        environment.pop("BUILD_WORKSPACE_DIRECTORY", None)
        result = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self._folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert result.returncode == 0, f"{script}\n{result.stdout}"
        return result.stdout

    @staticmethod
    def _script(path: pathlib.Path, command: str) -> None:
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{command}\n", encoding="utf-8")
        path.chmod(0o755)


def other_paths() -> list[str]:
    """Returns the folders from which this Python imports other people's modules, not ours."""
    ours = ("slim_internal", "slim/slim_internal")
    return [
        path
        for path in sys.path
        if path and not any((pathlib.Path(path) / place).exists() for place in ours)
    ]


def _line(edit: Edit, lines: Sequence[str]) -> int:
    """Returns the index of the line that an edit refers to."""
    stripped = [line.strip() for line in lines]
    first = 0
    if edit.below is not None:
        first = _only(edit.path, edit.below, stripped) + 1
        if edit.anchor in stripped[first:]:
            return stripped.index(edit.anchor, first)
    return _only(edit.path, edit.anchor, stripped)


def _only(path: str, line: str, stripped: Sequence[str]) -> int:
    if stripped.count(line) != 1:
        raise ValueError(f"{path} has {stripped.count(line)} lines `{line}`; 1 is needed")
    return stripped.index(line)


def python_command(arguments: Sequence[str]) -> list[str]:
    """Returns the command that does without Bazel what `bazel ARGUMENTS` does.

    Args:
      arguments: `run LABEL [-- ARGUMENT...]` or `test [--test_filter=NAME] LABEL...`.
    """
    verb, *words = arguments
    if verb == "run":
        label, *words = words
        source = label.removeprefix("//").replace(":", "/") + ".py"
        return [sys.executable, source, *words[1:]]
    command = [sys.executable, "-m", "pytest", "-q"]
    for word in words:
        match = _NETWORK_TEST.fullmatch(word)
        if word.startswith("--test_filter="):
            command += ["-k", word.partition("=")[2]]
        elif match:
            command += [f"tests/nets/network_{match['kind']}_test.py", "--network"]
            command += [match["network"]]
        else:
            command.append(word.removeprefix("//").replace(":", "/") + ".py")
    return command


if __name__ == "__main__":
    command = python_command(sys.argv[1:])
    os.execv(command[0], command)
