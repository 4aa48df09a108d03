import pathlib

import pytest

from tools import build_files

_LOAD = 'load("//tools/build_defs:python.bzl", "py_library")\n'


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        (_LOAD + 'py_library(\n    name = "a",\n    srcs = ["a.py"],\n)\n', []),
        ('py_library(name = "a", srcs = ["a.py"])', ["py_library is not loaded from"]),
        (_LOAD + 'exports_files(["a.py"])', ["py_library is loaded but not used", "a.py is in no"]),
        (_LOAD + 'py_library(name = "b", srcs = ["b.py"])', ["a.py is in no target"]),
        (
            _LOAD + 'py_library(name = "a", srcs = ["a.py"], deps = [":z", ":b"])',
            ["a: deps is not in order at ':b'"],
        ),
        (
            _LOAD + 'py_library(name = "a", srcs = ["a.py"], deps = ["//b", ":c"])',
            ["a: deps is not in order at ':c'"],
        ),
        (
            _LOAD + 'py_library(name = "a", srcs = ["a.py"], deps = [":b", ":b"])',
            ["a: deps names"],
        ),
        (
            _LOAD + 'py_library(name = "a", srcs = ["a.py"], deps = [f("numpy"), ":c"])',
            ["a: deps is not in order at"],
        ),
        (
            _LOAD
            + 'py_library(name = "a", srcs = ["a.py"], deps = [\n    # "//b",\n    "//c",\n])',
            ["line 3 is code in a comment"],
        ),
        (_LOAD + '# Why it is here.\npy_library(name = "a", srcs = ["a.py"])', []),
        (_LOAD + 'py_library(name = "a", \tsrcs = ["a.py"])', ["line 2 ends in a space or holds"]),
        (
            'load("//b:b.bzl", "b")\nload("//a:a.bzl", "a")\na()\nb()\n'
            + _LOAD
            + 'py_library(name = "a", srcs = ["a.py"])',
            ["load statements are not in order"],
        ),
        ("py_library(", ["'(' was never closed"]),
    ],
)
def test_file_problems(tmp_path, text, problems):
    (tmp_path / "a.py").touch()
    (tmp_path / "__init__.py").touch()
    (tmp_path / "BUILD").write_text(text)
    found = build_files.file_problems(tmp_path / "BUILD")
    assert len(found) == len(problems)
    for line, problem in zip(found, problems, strict=True):
        assert problem in line


def test_a_file_in_a_target_of_another_package(tmp_path):
    for folder, text in (
        ("a", 'exports_files(["x.py", "y.py"])'),
        ("b", _LOAD + 'py_library(name = "x", srcs = ["//a:x.py"])'),
    ):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "BUILD").write_text(text)
    for name in ("x.py", "y.py"):
        (tmp_path / "a" / name).touch()
    files = [path.relative_to(tmp_path) for path in tmp_path.glob("*/*")]
    assert build_files.problems(tmp_path, files) == ["a/BUILD: y.py is in no target"]


def test_a_folder_without_a_build_file(tmp_path):
    (tmp_path / "BUILD").touch()
    files = [pathlib.Path("BUILD"), pathlib.Path("a/b.py"), pathlib.Path("a/c.py")]
    assert build_files.problems(tmp_path, files) == ["a: holds Python files but no BUILD"]
