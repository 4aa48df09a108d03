import pathlib
import subprocess

import pytest

from tools import build_deps

_LOAD = 'load("//tools/build_defs:python.bzl", "py_library")\n'
_GROUND = 'package(default_visibility = ["//slim/slim_internal:ground_and_above"])\n'
_PROGRAM = 'package(default_visibility = ["//slim/slim_internal:scripts"])\n'


def _library(name, *deps):
    listed = ", ".join(f'"{dep}"' for dep in deps)
    return f'py_library(name = "{name}", srcs = ["{name}.py"], deps = [{listed}])\n'


def _repository(root, files):
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return build_deps.Repository(root, [pathlib.Path(path) for path in files])


_A, _B = "slim/slim_internal/ground/a", "slim/slim_internal/ground/b"
_X, _Y = "slim/slim_internal/programs/x", "slim/slim_internal/programs/y"
_IMPORT_B = "from slim_internal.ground.b import b\n"


@pytest.mark.parametrize(
    ("files", "problems"),
    [
        (
            {
                f"{_A}/BUILD": _LOAD + _GROUND + _library("a", f"//{_B}"),
                f"{_A}/a.py": _IMPORT_B,
                f"{_B}/BUILD": _LOAD + _GROUND + _library("b"),
                f"{_B}/b.py": "import os\n",
            },
            [],
        ),
        (
            {
                f"{_A}/BUILD": _LOAD + _GROUND + _library("a"),
                f"{_A}/a.py": "import slim_internal.ground.gone\n"
                "def later():\n    import slim_internal.ground.b.b\n",
                f"{_B}/BUILD": _LOAD + _GROUND + _library("b"),
                f"{_B}/b.py": "from PIL import Image\n",
            },
            [
                f"//{_A}:a imports slim_internal.ground.gone, which is in no target",
                f"//{_A}:a imports slim_internal.ground.b.b, but //{_B}:b is not in its deps",
                f"//{_B}:b imports PIL, but @pip//:pillow is not in its deps",
            ],
        ),
        (
            {
                f"{_A}/BUILD": _LOAD + _GROUND + _library("a", f"//{_B}"),
                f"{_A}/a.py": "",
                f"{_B}/BUILD": _LOAD + _GROUND + _library("b"),
                f"{_B}/b.py": "",
            },
            [f"//{_A}:a depends on //{_B}:b but does not import it"],
        ),
        (
            {
                f"{_A}/BUILD": _LOAD + _GROUND + _library("a", f"//{_B}"),
                f"{_A}/a.py": _IMPORT_B,
                f"{_B}/BUILD": _LOAD + _GROUND + _library("b", f"//{_A}"),
                f"{_B}/b.py": "from slim_internal.ground.a import a\n",
            },
            [
                f"//{_A}:a depends on itself, by way of other targets",
                f"//{_B}:b depends on itself, by way of other targets",
                f"{_A} imports itself in a circle, by way of other rooms",
                f"{_B} imports itself in a circle, by way of other rooms",
            ],
        ),
        (
            {
                f"{_X}/BUILD": _LOAD + _PROGRAM + _library("x", f"//{_Y}"),
                f"{_X}/x.py": "from slim_internal.programs.y import y\n",
                f"{_Y}/BUILD": _LOAD + _PROGRAM + _library("y"),
                f"{_Y}/y.py": "",
            },
            [f"{_X} imports {_Y}: programs do not know each other"],
        ),
        (
            {
                f"{_A}/BUILD": _LOAD + _GROUND + _library("a", f"//{_Y}"),
                f"{_A}/a.py": "from slim_internal.programs.y import y\n",
                f"{_Y}/BUILD": _LOAD + _GROUND + _library("y"),
                f"{_Y}/y.py": "",
            },
            [
                f"{_Y}/BUILD: programs need {_PROGRAM.strip()}",
                f"{_A} (ground) imports {_Y} (programs), a floor above it",
            ],
        ),
    ],
    ids=["all is well", "missing", "unused", "circle", "between programs", "up"],
)
def test_problems(tmp_path, files, problems):
    assert list(_repository(tmp_path, files).problems()) == problems


_BEFORE = f"""{_LOAD}{_GROUND}
py_library(
    name = "a",
    srcs = ["a.py"],
    deps = [":z"],
)

{_library("z")}"""
_AFTER = f"""load("@pip//:requirements.bzl", "requirement")
{_LOAD}{_GROUND}
py_library(
    name = "a",
    srcs = ["a.py"],
    deps = [
        ":z",
        "//{_B}",
        requirement("numpy"),
    ],
)

{_library("z")}"""


def test_a_dependency_that_is_not_there(tmp_path):
    files = {f"{_A}/BUILD": _LOAD + _GROUND + _library("a", ":gone"), f"{_A}/a.py": ""}
    assert list(_repository(tmp_path, files).problems()) == [
        f"//{_A}:a depends on //{_A}:gone, which is not there"
    ]


def test_fix_adds_what_is_missing_in_order(tmp_path):
    repository = _repository(
        tmp_path,
        {
            f"{_A}/BUILD": _BEFORE,
            f"{_A}/a.py": f"import numpy\nfrom slim_internal.ground.a import z\n{_IMPORT_B}",
            f"{_A}/z.py": "",
            f"{_B}/BUILD": _LOAD + _GROUND + _library("b"),
            f"{_B}/b.py": "",
        },
    )
    repository.fix()
    assert (tmp_path / _A / "BUILD").read_text() == _AFTER
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    assert list(build_deps.repository(tmp_path).problems()) == []


def test_a_new_file_gets_a_library_of_its_own(tmp_path):
    files = {
        f"{_A}/BUILD": _LOAD + _GROUND + _library("a"),
        f"{_A}/a.py": "",
        f"{_A}/__init__.py": "",
        f"{_A}/new.py": "from slim_internal.ground.a import a\n",
        f"{_B}/alone.py": "",
    }
    _repository(tmp_path, files).add_libraries()
    paths = [pathlib.Path(path) for path in files]
    repository = build_deps.Repository(tmp_path, paths)
    assert list(repository.problems()) == [
        f"//{_A}:new imports slim_internal.ground.a.a, but //{_A}:a is not in its deps"
    ]
    assert not (tmp_path / _B / "BUILD").exists()
    before = (tmp_path / _A / "BUILD").read_text()
    repository.add_libraries()
    assert (tmp_path / _A / "BUILD").read_text() == before
