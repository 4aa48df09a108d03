"""Prints what a folder of installed Python distributions holds, as JSON for the repository rule.

The folder is one that `pip install --target` filled. For each distribution: its name, the files
and folders at the top level that belong to it, and the distributions that it needs on the Python
and the platform that run this program.
"""

import csv
import importlib.metadata
import json
import pathlib
import re
import sys


def normal_name(name: str) -> str:
    """Returns the name under which Bazel knows a distribution: lower case, words joined by `_`."""
    return re.sub(r"[-_.]+", "_", name).lower()


def requirements_here(distribution: importlib.metadata.Distribution) -> list:
    """Returns what a distribution needs on this Python and platform, optional extras left out."""
    from packaging import requirements  # Arrives with the distributions themselves.

    needed = map(requirements.Requirement, distribution.requires or [])
    return [each for each in needed if not each.marker or each.marker.evaluate({"extra": ""})]


def top_level(distribution: importlib.metadata.Distribution, directory: pathlib.Path) -> list[str]:
    """Returns the files and folders of `directory` that belong to a distribution.

    Programs are named one by one, because all distributions share the folder `bin`. The record of
    a wheel says that they go to `../../bin`, where `--target` does not put them; from Python 3.12
    on `distribution.files` takes them for missing.
    """
    found = set()
    for file, *_ in csv.reader((distribution.read_text("RECORD") or "").splitlines()):
        parts = [part for part in pathlib.PurePosixPath(file).parts if part != ".."]
        found.add("/".join(parts[:2]) if parts[0] == "bin" else parts[0])
    return sorted(name for name in found if (directory / name).exists() and name != "__pycache__")


def describe(directory: pathlib.Path) -> list[dict]:
    """Returns one dictionary per distribution in a folder, sorted by name."""
    distributions = importlib.metadata.distributions(path=[str(directory)])
    return sorted(
        (
            {
                "name": normal_name(distribution.metadata["Name"]),
                "files": [
                    f"{directory.name}/{name}" for name in top_level(distribution, directory)
                ],
                "dependencies": sorted(
                    {normal_name(each.name) for each in requirements_here(distribution)}
                ),
            }
            for distribution in distributions
        ),
        key=lambda description: description["name"],
    )


if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])
    json.dump(describe(pathlib.Path(sys.argv[1])), sys.stdout)
