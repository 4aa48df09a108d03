"""Runs every check that needs no test: formatter, linter, types, BUILD files, lock.

    tools/bazel run //tools:static_checks

All checks run, whatever the first ones found; the exit code says whether all passed.
"""

import os
import pathlib
import subprocess
import sys
from collections.abc import Callable

import packaging

from third_party.python import lock
from tools import build_deps, build_files, code_size, fault_page, words


def _run_module(*command: str) -> Callable[[], list[str]]:
    """Returns a check that runs a Python module; its output is what it found."""

    def check() -> list[str]:
        result = subprocess.run(
            [sys.executable, "-m", *command], capture_output=True, text=True, check=False
        )
        return (result.stdout + result.stderr).splitlines() if result.returncode else []

    return check


def _build_files() -> list[str]:
    """Checks the BUILD files that git knows or would add."""
    root = pathlib.Path()
    return build_files.problems(root, build_files.listed_files(root))


def _imports() -> list[str]:
    """Compares imports with `deps`, and looks at where they lead."""
    return list(build_deps.repository(pathlib.Path()).problems())


def _sizes() -> list[str]:
    """Looks for files and functions that are too long."""
    root = pathlib.Path()
    return list(code_size.problems(root, build_files.listed_files(root)))


def _words() -> list[str]:
    """Looks for words that are not the field's."""
    root = pathlib.Path()
    return list(words.problems(root, build_files.listed_files(root)))


def _all_libraries() -> list[str]:
    """Checks that //tools:python can import everything of slim/."""
    query = subprocess.run(
        [
            "tools/bazel",
            "query",
            "--ui_event_filters=-info",
            "--noshow_progress",
            "kind(py_library, //slim/...) except deps(//slim:all_libraries)",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if query.returncode:
        return query.stderr.splitlines()
    return [f"//slim:all_libraries does not reach {label}" for label in query.stdout.split()]


def _lock() -> list[str]:
    """Checks the lock against requirements.in and against what the locked distributions need."""
    folder = pathlib.Path("third_party/python")
    return lock.problems(
        (folder / "requirements.in").read_text(encoding="utf-8"),
        (folder / "requirements.lock").read_text(encoding="utf-8"),
        pathlib.Path(packaging.__file__).parents[1],
    )


_CHECKS = {
    "format": _run_module("ruff", "format", "--check", "--quiet", "--diff", "."),
    "lint": _run_module("ruff", "check", "--quiet", "."),
    "types": _run_module("mypy"),
    "BUILD files": _build_files,
    "imports": _imports,
    "sizes": _sizes,
    "words": _words,
    "faults": lambda: list(fault_page.problems(pathlib.Path())),
    "all_libraries": _all_libraries,
    "lock": _lock,
}


def main() -> int:
    """Runs the checks, prints a line for each, and returns how many found something."""
    failures = 0
    for name, check in _CHECKS.items():
        found = check()
        print(f"{name}: {'FAILED' if found else 'ok'}", *found, sep="\n  ", flush=True)
        failures += bool(found)
    return failures


if __name__ == "__main__":
    os.chdir(os.environ["BUILD_WORKSPACE_DIRECTORY"])
    sys.exit(main())
