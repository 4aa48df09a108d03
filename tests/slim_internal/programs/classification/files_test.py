"""Which images arguments mean."""

import io
import sys

import pytest

from slim_internal.ground.errors import UserError
from slim_internal.programs.classification import files

_PNG = b"\x89PNG\r\n\x1a\n more"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("b.png", "a/c.JPG", "a/d/e.webp", "a/notes.txt", "a/list[1].png", "empty/x.txt"):
        path = tmp_path / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return tmp_path


def _standard_input(monkeypatch, content):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["images/b.png", "missing.png"], ["images/b.png", "missing.png"]),
        (
            ["images"],
            ["images/b.png", "images/a/c.JPG", "images/a/list[1].png", "images/a/d/e.webp"],
        ),
        (["images/a/*.JPG", "images/b.png"], ["images/a/c.JPG", "images/b.png"]),
        (["images/**/*.webp"], ["images/a/d/e.webp"]),
        (["images/a/list[1].png"], ["images/a/list[1].png"]),
        (["images/b.png", "images/b.png"], ["images/b.png"]),
    ],
    ids=["files", "folder", "pattern", "recursive", "brackets", "twice"],
)
def test_arguments(folder, arguments, found):
    assert files.find(arguments) == dict.fromkeys(found)


def test_what_is_left_out_of_a_folder_is_counted(folder, caplog):
    with caplog.at_level("INFO"):
        files.find(["images"])
    assert "Skipped 2 files without an image extension in images" in caplog.messages


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"a b.png\n\nc.jpg\n", {"a b.png": None, "c.jpg": None}),
        (b"caf\xe9.png", {"caf\udce9.png": None}),
        (b"a.png\r\nb.png\r\n", {"a.png": None, "b.png": None}),
        (_PNG, {"-": _PNG}),
    ],
    ids=["names", "no_text", "windows", "image"],
)
def test_standard_input(monkeypatch, content, found):
    _standard_input(monkeypatch, content)
    assert files.find(["-"]) == found


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("images/empty", r"images/empty holds no image: no name in it ends in \.jpg"),
        ("images/*.gif", r"No file matches 'images/\*\.gif'"),
        ("-", "Standard input is empty"),
    ],
)
def test_what_means_no_image_is_an_error(folder, monkeypatch, argument, message):
    _standard_input(monkeypatch, b"\n")
    with pytest.raises(UserError, match=message):
        files.find([argument])


def test_an_argument_that_means_no_image_is_left_out_beside_others(folder):
    errors = []
    found = files.find(["images/*.gif", "images/b.png", "images/empty"], errors.append)
    assert list(found) == ["images/b.png"]
    no_match, empty = map(str, errors)
    assert no_match == "No file matches 'images/*.gif'."
    assert empty.startswith("images/empty holds no image: ")
    with pytest.raises(UserError, match="images/empty holds no image"):
        files.find(["images/*.gif", "images/empty"], errors.append)
