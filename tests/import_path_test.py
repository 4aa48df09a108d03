"""What is published keeps its names, and nothing else of ours is on the import path."""

import os
import pathlib
import subprocess
import sys

import pytest

import slim_internal

_SLIM = pathlib.Path(slim_internal.__file__).parents[1]
_PUBLISHED = {"datasets", "deployment", "nets", "preprocessing"}

# Names that our modules had or have below the private package, and that programs may well use.
_USERS = sorted(
    {path.stem for path in (_SLIM / "slim_internal").glob("*/*") if path.is_dir()}
    | {"checkpoints", "classification", "cli", "compat", "downloads", "errors", "evaluation"}
    | {"export", "files", "inspection", "progress", "settings", "training"}
)

_PROGRAM = f"""
import importlib, pathlib, sys
for name in {_USERS!r}:
    assert importlib.import_module(name).OWNER == "the user", name
from progress.bar import Bar
assert Bar == "a bar"
from datasets import dataset_factory, flowers, imagenet
from deployment import model_deploy
from nets import inception, nets_factory
from preprocessing import preprocessing_factory
from slim_internal.programs.training import train
assert flowers.get_split and "lenet" in nets_factory.networks_map
print("done")
"""


@pytest.fixture
def users_folder(tmp_path):
    """A folder with a package of each name; `progress` is that of the PyPI distribution."""
    for name in _USERS:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text('OWNER = "the user"\n')
    (tmp_path / "progress" / "bar.py").write_text('Bar = "a bar"\n')
    return tmp_path


@pytest.mark.parametrize("first", ["the user's folder", "slim"])
def test_modules_of_a_user_are_not_taken_for_ours(users_folder, first):
    folders = [str(users_folder), str(_SLIM)]
    if first == "slim":
        folders.reverse()
    result = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([*folders, *sys.path])},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stdout == "done\n", result.stderr


def test_one_private_name_is_on_the_import_path():
    packages = {path.parent.name for path in _SLIM.glob("*/__init__.py")}
    assert packages == _PUBLISHED | {"slim_internal"}
    scripts = {path.stem for path in _SLIM.glob("*.py")} - {"__init__"}
    assert not scripts & set(_USERS)
