"""Files that are named as images and are none."""

import os
import socket

import pytest

from slim_internal.ground.images import reading
from slim_internal.ground.images.image import BadImageError


def test_reads_a_file(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"data")
    assert reading.read(tmp_path / "a.jpg") == b"data"


def make_fifo(path):
    os.mkfifo(path)


def make_socket(path):
    before = os.getcwd()
    os.chdir(path.parent)  # The path of a socket may have a hundred characters.
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path.name)
    finally:
        os.chdir(before)


OTHERS = {
    "fifo": (make_fifo, "not a regular file"),
    "socket": (make_socket, "cannot be read|not a regular file"),
    "folder": (os.mkdir, "is a folder"),
    "broken link": (lambda path: path.symlink_to("nowhere"), "No such file"),
    "link to itself": (lambda path: path.symlink_to(path), "cannot be read"),
    "nothing": (lambda path: None, "No such file"),
}


@pytest.mark.parametrize(("make", "reason"), OTHERS.values(), ids=OTHERS)
def test_nothing_is_waited_for(make, reason, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # The path of a socket is short.
    make(tmp_path / "a.jpg")
    with pytest.raises(BadImageError, match=reason):
        reading.read(tmp_path / "a.jpg")


def test_devices_and_impossible_names():
    with pytest.raises(BadImageError, match="not a regular file"):
        reading.read("/dev/null")
    with pytest.raises(BadImageError, match="null character"):
        reading.read("a\0.jpg")
