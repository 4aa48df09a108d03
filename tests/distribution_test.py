"""A wheel of the project, installed into a fresh virtual environment, does what the README says.

Nothing is downloaded: the distributions that the wheel needs come from those of this Python.
"""

import os
import re
import shutil
import subprocess
import sys
import zipfile

import pytest

from tests import worked_examples

_NOT_COPIED = shutil.ignore_patterns(".*", "__pycache__", "bazel-*", "shared", "tests", "build")
_SITE = worked_examples.other_paths()
_LINE_OF_2017 = "import tensorflow.contrib.slim as slim; eval = slim.evaluation.evaluate_once"


def _run(*command, cwd, **environment):
    result = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={"PATH": os.defpath, "HOME": str(cwd), "TF_CPP_MIN_LOG_LEVEL": "3", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout
    return result.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    source = tmp_path_factory.mktemp("source") / "slim"
    shutil.copytree(worked_examples.ROOT, source, ignore=_NOT_COPIED)
    build = "import setuptools.build_meta as b, sys; print(b.build_wheel(sys.argv[1]))"
    paths = os.pathsep.join(_SITE)
    _run(sys.executable, "-c", build, source.parent, cwd=source, PYTHONPATH=paths)
    (path,) = source.parent.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def environment(wheel, tmp_path_factory):
    """A virtual environment with the wheel; returns its folder of programs."""
    folder = tmp_path_factory.mktemp("venv")
    _run(sys.executable, "-m", "venv", folder, cwd=folder)
    (site,) = folder.glob("lib/python*/site-packages")
    pip = [folder / "bin/python", "-m", "pip", "install", "-q", "--no-deps", "--no-index"]
    _run(*pip, wheel, cwd=folder)
    (site / "third_party.pth").write_text("".join(f"{path}\n" for path in _SITE))
    return folder / "bin"


def test_contents(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.partition("/")[0] for name in names if ".dist-info/" not in name}
    packages = {name for name in tops if "." not in name}
    assert packages == {"datasets", "deployment", "nets", "preprocessing", "slim_internal", "slim"}
    assert [name for name in names if name.startswith("slim/")] == ["slim/__init__.py"]
    modules = {path.name for path in (worked_examples.ROOT / "slim").glob("*.py")}
    assert tops - packages == modules - {"__init__.py"} | {"slim_contrib.pth"}
    assert "datasets/imagenet_classes.tsv" in names
    assert any(name.endswith(".css") for name in names)


def test_line_of_2017(environment, tmp_path):
    _run(environment / "python", "-c", _LINE_OF_2017, cwd=tmp_path)


def test_published_packages(environment, tmp_path):
    code = (
        "from nets import vgg; import train_image_classifier; print(vgg.__file__);"
        " from slim.nets import vgg as same; assert same is vgg"
    )
    assert str(environment.parent) in _run(environment / "python", "-c", code, cwd=tmp_path)


def test_starting_python_loads_no_tensorflow(environment, tmp_path):
    code = "import sys; print('tensorflow' in sys.modules, 'slim_internal.contrib' in sys.modules)"
    assert _run(environment / "python", "-c", code, cwd=tmp_path) == "False True\n"


def test_extras_are_those_that_have_a_lock(wheel):
    archive = zipfile.ZipFile(wheel)
    (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
    extras = re.findall(r"^Provides-Extra: (.*)$", archive.read(name).decode(), re.MULTILINE)
    locks = (worked_examples.ROOT / "third_party/python/extras").glob("*.lock")
    assert sorted(extras) == sorted(path.stem for path in locks)


@pytest.mark.parametrize("package", ["nets", "datasets"])
def test_an_unrelated_package_before_ours_is_named_in_one_line(environment, tmp_path, package):
    other = tmp_path / package / "__init__.py"
    other.parent.mkdir()
    other.touch()
    result = subprocess.run(
        [environment / "train_image_classifier", "--help"],
        cwd=tmp_path,
        env={"PATH": os.defpath, "HOME": str(tmp_path), "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    (line,) = result.stderr.splitlines()
    assert result.returncode == 1
    assert line.startswith(f"error: slim needs its own package {package}, ")
    assert f"comes before it on the path: {other}. " in line


def test_python_names_it_as_well(environment, tmp_path):
    (tmp_path / "nets").mkdir()
    (tmp_path / "nets" / "__init__.py").touch()
    for line in ("from nets import inception", "import nets.vgg"):
        result = subprocess.run(
            [environment / "python", "-c", line],
            cwd=tmp_path,
            env={"PATH": os.defpath, "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        last = result.stderr.splitlines()[-1]
        assert last.startswith("ImportError: slim needs its own package nets, ")
        assert f"comes before it on the path: {tmp_path / 'nets' / '__init__.py'}. " in last
    unknown = "import nets\ntry: import nets.other\nexcept ModuleNotFoundError: print('as ever')"
    assert _run(environment / "python", "-c", unknown, cwd=tmp_path) == "as ever\n"


def test_a_distribution_installed_over_ours_is_named_in_one_line(environment, tmp_path):
    (site,) = environment.parent.glob("lib/python*/site-packages")
    (tmp_path / "nets").mkdir()
    (tmp_path / "nets" / "vgg.py").write_text("LAYERS = 16\n")
    pip = [environment / "python", "-m", "pip", "--disable-pip-version-check"]
    options = ["-q", "--no-deps", "--no-index", "--no-build-isolation"]
    setup = "import setuptools; setuptools.setup(name='netsuite', version='2.0', packages=['nets'])"
    (tmp_path / "setup.py").write_text(setup)
    ours = (site / "nets/vgg.py").read_bytes()
    _run(*pip, "install", *options, tmp_path, cwd=tmp_path)
    try:
        result = subprocess.run(
            [environment / "list_networks", "lenet"],
            env={"PATH": os.defpath, "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        (line,) = result.stderr.splitlines()
        assert line == (
            f"error: slim needs its own file {site / 'nets/vgg.py'}, but netsuite 2.0 was"
            " installed over it. Install slim again without netsuite 2.0, or give slim an"
            " environment of its own."
        )
        (site / "nets/vgg.py").write_bytes(ours)  # As if slim had been installed last.
        assert "lenet" in _run(environment / "list_networks", "lenet", cwd=tmp_path)
    finally:
        _run(*pip, "uninstall", "-q", "-y", "netsuite", cwd=tmp_path)
        (site / "nets/vgg.py").write_bytes(ours)


def test_an_unrelated_package_after_ours_does_no_harm(environment, tmp_path):
    (tmp_path / "nets").mkdir()
    (tmp_path / "nets" / "__init__.py").touch()
    code = "import sys; sys.path.append('.'); import list_networks; from nets import settings"
    _run(environment / "python", "-P", "-c", code, cwd=tmp_path)


def test_every_script_is_a_command(environment, tmp_path):
    for path in sorted((worked_examples.ROOT / "slim").glob("*.py")):
        if path.stem != "__init__":
            assert (environment / path.stem).exists(), path.stem
    assert "--model_name" in _run(environment / "train_image_classifier", "--help", cwd=tmp_path)
    assert "lenet" in _run(environment / "list_networks", "lenet", cwd=tmp_path)
