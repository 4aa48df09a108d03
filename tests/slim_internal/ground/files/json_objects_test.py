"""Objects of JSON are what they should be, or one line says why not."""

import dataclasses
import os
import socket
from collections.abc import Mapping

import pytest

from slim_internal.ground.files import json_objects
from slim_internal.ground.files.json_objects import DamageError


@dataclasses.dataclass(frozen=True)
class Leaf:
    color: str
    sides: tuple[tuple[str, int], ...] = ()


@dataclasses.dataclass(frozen=True)
class Tree:
    name: str
    height: float
    planted: int | None
    alive: bool
    leaf: Leaf
    birds: Mapping[str, int] = dataclasses.field(default_factory=dict)


GOOD = {
    "name": "oak",
    "height": 7,
    "planted": None,
    "alive": True,
    "leaf": {"color": "green", "sides": [["left", 1]]},
    "birds": {"tit": 2},
}

CONTENTS = {
    "empty": (b"", "it is empty"),
    "blank": (b" \n", "it is empty"),
    "text": (b"tree", "it is not JSON: Expecting value"),
    "cut": (b'{"a": 1', "it is not JSON: Expecting"),
    "two": (b"{}{}", "it is not JSON: Extra data"),
    "list": (b"[]", "it does not hold an object"),
    "number": (b"3", "it does not hold an object"),
    "null": (b"null", "it does not hold an object"),
    "not UTF-8": (b'{"a": "\xff"}', "it is not UTF-8"),
    "UTF-16": ('{"a": 1}'.encode("utf-16"), "it is not UTF-8"),
    "binary": (bytes(9), "it is not JSON"),
    "deep": (b'{"a": ' + b"[" * 100_000, "it is nested too deeply"),
    "deep object": (b'{"a": ' * 100_000, "it is nested too deeply"),
    "not a number": (b'{"a": NaN}', "NaN is not a number"),
    "infinite": (b'{"a": -Infinity}', "-Infinity is not a number"),
    "many digits": (b'{"a": ' + b"9" * 5000 + b"}", "it is not JSON: Exceeds the limit"),
    "twice": (b'{"a": 1, "b": 2, "a": 3}', "'a' is listed twice"),
}


@pytest.mark.parametrize(("content", "message"), CONTENTS.values(), ids=CONTENTS)
def test_what_is_no_object(tmp_path, content, message):
    (tmp_path / "file").write_bytes(content)
    for read in (
        lambda: json_objects.decode(content),
        lambda: json_objects.read(tmp_path / "file"),
    ):
        with pytest.raises(DamageError, match=f"^{message}") as caught:
            read()
        assert "\n" not in str(caught.value)


def make_socket(path):
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(os.path.relpath(path))


PLACES = {
    "folder": (os.mkdir, "it is a folder"),
    "fifo": (os.mkfifo, "it is not a regular file"),
    "socket": (make_socket, "it cannot be read: No such device"),
    "link to itself": (lambda path: os.symlink(path, path), "it cannot be read: Too many levels"),
}


@pytest.mark.parametrize(("make", "message"), PLACES.values(), ids=PLACES)
def test_what_is_no_file(tmp_path, monkeypatch, make, message):
    monkeypatch.chdir(tmp_path)
    make(tmp_path / "file")
    with pytest.raises(DamageError, match=f"^{message}"):
        json_objects.read(tmp_path / "file")


def test_a_file_that_is_not_there_is_no_damage(tmp_path):
    with pytest.raises(FileNotFoundError):
        json_objects.read(tmp_path / "file")


def test_a_dataclass_is_made_of_fields():
    tree = json_objects.build(Tree, GOOD)
    assert tree == Tree("oak", 7, None, True, Leaf("green", (("left", 1),)), {"tit": 2})


FIELDS = {
    "number as text": ({"name": 3}, "name must be a text; got 3"),
    "half a character": ({"name": "\ud800"}, "name must be a text; got '.ud800'"),
    "null character": ({"name": "a\0b"}, "name must be a text; got"),
    "text as number": ({"height": "7"}, "height must be a number; got '7'"),
    "huge number": ({"height": float("inf")}, "height must be a number; got inf"),
    "fraction": ({"planted": 1.5}, "planted must be an integer; got 1.5"),
    "truth as number": ({"planted": True}, "planted must be an integer; got True"),
    "huge integer": ({"planted": 10**30}, "planted must be an integer; got 10000"),
    "list as number": ({"planted": [1]}, "planted must be an integer; got list"),
    "number as truth": ({"alive": 1}, "alive must be true or false; got 1"),
    "null": ({"alive": None}, "alive must be true or false; got NoneType"),
    "missing": ({"alive": ...}, "alive is missing"),
    "unknown": ({"root": 1}, "root is not known"),
    "list as object": ({"leaf": []}, "leaf is not an object"),
    "within": ({"leaf": {"color": 1}}, r"leaf\.color must be a text"),
    "missing within": ({"leaf": {}}, r"leaf\.color is missing"),
    "text as list": ({"leaf": {"color": "", "sides": "ab"}}, r"leaf\.sides is not a list"),
    "too few": (
        {"leaf": {"color": "", "sides": [["a", 1], ["b"]]}},
        r"leaf\.sides\[1\] must have 2 items; got 1",
    ),
    "list as mapping": ({"birds": [1]}, "birds is not an object"),
    "text in a mapping": ({"birds": {"tit": "2"}}, r"birds\.tit must be an integer"),
}


@pytest.mark.parametrize(("changes", "message"), FIELDS.values(), ids=FIELDS)
def test_fields_of_other_types(changes, message):
    fields = {name: value for name, value in (GOOD | changes).items() if value is not ...}
    with pytest.raises(DamageError, match=f"^{message}") as caught:
        json_objects.build(Tree, fields)
    assert len(str(caught.value)) < 150
