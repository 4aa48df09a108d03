"""Keeps the page about faults right: its targets exist, its numbers are those of the test cases.

.venv/bin/python -m tools.fault_page --fix
"""

import os
import pathlib
import re
import subprocess
import sys
from collections.abc import Iterator

PAGE = pathlib.Path("docs/faults.md")
_ROW = re.compile(r"^(?P<start>\|.*\| (?P<targets>`//.*`) \| )(?P<count>[\d,]+)(?P<end> \|)$", re.M)
_TARGET = re.compile(r"`//([^:`]*):([^`]*)`")
_TOTAL = re.compile(r"(?<=In all )[\d,]+(?= test cases)")
_COLLECTED = re.compile(r"^(\S+_test\.py): (\d+)$", re.M)


def files(targets: str) -> list[str]:
    """Returns the test files of the targets that a row names."""
    return [f"{folder}/{name}.py" for folder, name in _TARGET.findall(targets)]


def problems(root: pathlib.Path) -> Iterator[str]:
    """Yields a line for each target on the page that does not exist."""
    for row in _ROW.finditer((root / PAGE).read_text(encoding="utf-8")):
        for folder, name in _TARGET.findall(row["targets"]):
            build = root / folder / "BUILD"
            if not build.exists() or f'name = "{name}"' not in build.read_text(encoding="utf-8"):
                yield f"{PAGE}: there is no target //{folder}:{name}"


def counted(text: str, cases: dict[str, int]) -> str:
    """Returns the page with the number of cases in each row.

    Args:
      text: The page.
      cases: Test file -> its number of cases.
    """

    def row(match: re.Match) -> str:
        total = sum(cases[file] for file in files(match["targets"]))
        return f"{match['start']}{total:,}{match['end']}"

    return _TOTAL.sub(f"{sum(cases.values()):,}", _ROW.sub(row, text))


def collect(root: pathlib.Path, wanted: list[str]) -> dict[str, int]:
    """Returns the number of cases that pytest finds in each file."""
    paths = os.pathsep.join([str(root), str(root / "slim"), *sys.path])
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-qq", *wanted],
        cwd=root,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=True,
    )
    return {file: int(count) for file, count in _COLLECTED.findall(result.stdout)}


def main(arguments: list[str]) -> int:
    """Prints what is wrong with the page; with --fix, counts anew."""
    root = pathlib.Path(os.environ.get("BUILD_WORKSPACE_DIRECTORY", "."))
    found = list(problems(root))
    print(*found, sep="\n")
    if "--fix" in arguments and not found:
        text = (root / PAGE).read_text(encoding="utf-8")
        wanted = sorted({f for row in _ROW.finditer(text) for f in files(row["targets"])})
        (root / PAGE).write_text(counted(text, collect(root, wanted)), encoding="utf-8")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
