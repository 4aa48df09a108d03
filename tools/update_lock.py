"""Writes the locks in third_party/python anew: requirements.lock, what each extra adds to it, and
beam.lock, which stands for itself.

    tools/bazel run //tools:update_lock

One lock serves every Python and platform of the project: it names the files of all of them. Pins
that still fit stay as they are; `-- --upgrade` moves them to the newest versions, and
`-- --upgrade-package NAME` moves one.
"""

import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence

from third_party.python import lock

_FOLDER = pathlib.Path("third_party/python")
_MAIN_LOCK = _FOLDER / "requirements.lock"
_COMMAND = (
    "pip",
    "compile",
    "--universal",
    "--python-version=3.11",
    "--generate-hashes",
    "--no-build",
    "--no-emit-index-url",
    "--no-annotate",
    "--no-header",
    "--quiet",
)
_HEADER = "# Written by tools/update_lock from {}: change that file, not this one.\n"


def _compile(
    requirements: pathlib.Path, target: pathlib.Path, known: Iterable[str], options: Sequence[str]
) -> None:
    """Writes the lock of some requirements, without the distributions that are known already."""
    with tempfile.TemporaryDirectory() as folder:
        output = pathlib.Path(folder, target.name)
        if target.exists():  # What is pinned stays pinned.
            output.write_bytes(target.read_bytes())
        command = [sys.executable, "-m", "uv", *_COMMAND, *options]
        subprocess.run([*command, f"--output-file={output}", str(requirements)], check=True)
        pins = lock.without(output.read_text(encoding="utf-8"), known)
    target.write_text(_HEADER.format(requirements.name) + pins, encoding="utf-8")


def main(options: Sequence[str]) -> int:
    """Writes all locks; returns the exit code."""
    try:
        _compile(_FOLDER / "requirements.in", _MAIN_LOCK, (), options)
        known = lock.parse_lock(_MAIN_LOCK.read_text(encoding="utf-8"))
        constrained = [f"--constraint={_MAIN_LOCK}", *options]
        for requirements in sorted(_FOLDER.glob("extras/*.in")):
            _compile(requirements, requirements.with_suffix(".lock"), known, constrained)
        _compile(_FOLDER / "beam.in", _FOLDER / "beam.lock", (), options)
    except subprocess.CalledProcessError as error:
        return error.returncode
    return 0


if __name__ == "__main__":
    os.chdir(os.environ.get("BUILD_WORKSPACE_DIRECTORY", "."))
    sys.exit(main(sys.argv[1:]))
