"""`from slim.nets import X` works with only the root of the repository on the path."""

import pathlib
import subprocess
import sys

import pytest

from slim_internal.ground import cli

# Of a link into a repository, the repository.
ROOT = pathlib.Path(cli.__file__).parents[4]
THIRD_PARTY = [
    path
    for path in sys.path
    if path and not (pathlib.Path(path) / "nets").exists() and pathlib.Path(path) != ROOT
]


def run(folder: pathlib.Path, code: str, *path: pathlib.Path) -> subprocess.CompletedProcess:
    paths = [str(folder), *map(str, path), *THIRD_PARTY]
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={"PYTHONPATH": ":".join(paths), "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_published_packages_are_found_below_slim(tmp_path):
    code = """
from slim.nets import inception, vgg
from slim.nets.mobilenet import mobilenet_v2
import slim.nets.nasnet.nasnet_utils as utils
from slim.datasets import dataset_factory
from slim.deployment import model_deploy
from slim.preprocessing import preprocessing_factory
import nets.nasnet.nasnet_utils
import nets.vgg
import slim
assert vgg is nets.vgg and utils is nets.nasnet.nasnet_utils  # One module, not two.
assert slim.nets is nets and nets.__name__ == nets.__spec__.name == "nets"
"""
    result = run(tmp_path, code, ROOT)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("module", ["slim.nets.vgg_17", "slim.net"])
def test_what_is_not_published_is_not_found(tmp_path, module):
    result = run(tmp_path, f"import {module}", ROOT)
    last = result.stderr.splitlines()[-1]
    assert last.startswith(f"ModuleNotFoundError: No module named '{module}'")


def test_another_package_of_that_name_is_named(tmp_path):
    (tmp_path / "nets").mkdir()
    (tmp_path / "nets" / "__init__.py").touch()
    result = run(tmp_path, "from slim.nets import vgg", ROOT)
    last = result.stderr.splitlines()[-1]
    assert last.startswith("ImportError: slim.nets needs ")
    assert f"comes before it on the path: {tmp_path / 'nets' / '__init__.py'}" in last
