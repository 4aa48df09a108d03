"""Whole files or none: what stands there when a writer fails, is killed or has company."""

import os
import resource
import signal
import subprocess
import sys
import threading
import time

import pytest

from slim_internal.ground.errors import UserError
from slim_internal.ground.files import atomic

PLACES = {"new": None, "older": b"old"}


def contents(folder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(params=PLACES.values(), ids=PLACES)
def path(tmp_path, request):
    if request.param is not None:
        (tmp_path / "a.bin").write_bytes(request.param)
    return tmp_path / "a.bin"


@pytest.mark.parametrize(
    ("content", "expected"),
    [(b"\0\xff", b"\0\xff"), ("größer\n", "größer\n".encode()), ("\udcff", b"\xff"), ("", b"")],
    ids=["bytes", "text", "no_utf8", "empty"],
)
def test_write(path, content, expected):
    atomic.write(path, content)
    assert contents(path.parent) == {"a.bin": expected}


def test_write_json(path):
    atomic.write_json(path, {"b": 1, "a": "é"})
    assert path.read_text() == '{\n "a": "\\u00e9",\n "b": 1\n}\n'


def test_a_growing_file_is_seen_when_it_is_whole(path):
    before = contents(path.parent)
    with atomic.AtomicFile(path) as file:
        file.write(b"one")
        file.writelines([b" two", b" three"])
        visible = contents(path.parent)
        hidden = os.path.basename(atomic.partial_path(path))
        assert visible.keys() - before.keys() == {hidden}
        assert atomic.unfinished(path.parent) == ["a.bin"]
    assert file.size == 13
    assert contents(path.parent) == {"a.bin": b"one two three"}


def test_an_exception_leaves_what_was_there(path):
    before = contents(path.parent)
    file = atomic.AtomicFile(path)

    def write_half():
        with file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert contents(path.parent) == before


def test_several_files_are_replaced_only_when_all_are_on_the_disk(path, monkeypatch):
    before = contents(path.parent)
    real = atomic.AtomicFile.sync

    def sync(file):
        if file.path.endswith("b.bin"):
            raise OSError(28, os.strerror(28))
        real(file)

    with monkeypatch.context() as patch:
        patch.setattr(atomic.AtomicFile, "sync", sync)
        with pytest.raises(OSError, match="No space"):
            atomic.write_all({path: b"1", path.with_name("b.bin"): b"2"})
    assert contents(path.parent) == before
    atomic.write_all({path: b"1", path.with_name("b.bin"): b"2"})
    assert contents(path.parent) == {"a.bin": b"1", "b.bin": b"2"}


def test_several_files_with_one_that_cannot_be_begun(path):
    before = contents(path.parent)
    with pytest.raises(FileNotFoundError):
        atomic.write_all({path: b"1", path.parent / "none" / "b": b"2"})
    assert contents(path.parent) == before


def test_file_and_folder_reach_the_disk_before_and_after_the_name(path, monkeypatch):
    steps = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)

        def step(*arguments, name=name, real=real):
            target = arguments[0]
            if isinstance(target, int):
                target = os.readlink(f"/proc/self/fd/{target}")
            steps.append((name, str(target)))
            real(*arguments)

        monkeypatch.setattr(os, name, step)
    atomic.write(path, b"1")
    partial = atomic.partial_path(path)
    assert steps == [("fsync", partial), ("replace", partial), ("fsync", str(path.parent))]


def test_bytes_that_the_file_system_dropped_are_noticed(path):
    before = contents(path.parent)
    file = atomic.AtomicFile(path)
    file.write(b"12345678")
    file._file.flush()
    os.truncate(atomic.partial_path(path), 3)
    message = r"Cannot write to .*a\.bin: of 8 bytes written, 3 are there"
    with pytest.raises(UserError, match=message), file:
        pass
    assert contents(path.parent) == before


def test_a_file_size_limit_leaves_what_was_there(path):
    before = contents(path.parent)
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, old[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            atomic.write(path, bytes(100_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
    assert contents(path.parent) == before


KILLED = """
import os, sys
from slim_internal.ground.files import atomic
file = atomic.AtomicFile(sys.argv[1])
file.write(b"half")
file._file.flush()
print(flush=True)
sys.stdin.read()
"""


@pytest.fixture
def writer(path):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, path],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    process.stdout.readline()
    yield process
    process.kill()
    process.wait()


def test_what_a_killed_writer_left_goes_with_the_next_writer_of_that_name(path, writer):
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    atomic.write(path.with_name("b.bin"), b"other")
    assert f".a.bin.{writer.pid}.partial" in contents(path.parent)
    atomic.write(path, b"new")
    assert contents(path.parent) == {"a.bin": b"new", "b.bin": b"other"}


def test_what_a_living_writer_has_written_stays(path, writer):
    atomic.write(path, b"new")
    assert contents(path.parent).keys() == {"a.bin", f".a.bin.{writer.pid}.partial"}
    assert atomic.unfinished(path.parent) == ["a.bin"]


def test_remove_unfinished_takes_all_and_nothing_else(tmp_path):
    for name in (".a.1.partial", ".b.c.22.partial", "d.partial", ".e"):
        (tmp_path / name).write_text("")
    assert atomic.unfinished(tmp_path) == ["a", "b.c"]
    atomic.remove_unfinished(tmp_path)
    assert contents(tmp_path).keys() == {"d.partial", ".e"}


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("/d/.a.csv.12.partial", "/d/a.csv"),
        ("/d/.v1.5.12.partial", "/d/v1.5"),
        (".net.12.x_3b.partial", "net"),
        ("/d/.a.csv.partial", "/d/.a.csv.partial"),
        ("/d/a.csv", "/d/a.csv"),
    ],
)
def test_what_a_temporary_path_stands_for(path, meant):
    assert atomic.meant_by(path) == meant
    assert atomic.is_temporary(path) == (path != meant)
    assert not atomic.is_temporary(3)


@pytest.mark.parametrize("folder", ["a[b]", "c*"])
def test_folders_are_meant_literally(tmp_path, folder):
    (tmp_path / folder).mkdir()
    (tmp_path / "cc").mkdir()
    (tmp_path / "cc/.x.1.partial").write_text("")
    (tmp_path / folder / ".x.1.partial").write_text("")
    atomic.remove_unfinished(tmp_path / folder)
    assert contents(tmp_path / folder) == {}
    assert contents(tmp_path / "cc").keys() == {".x.1.partial"}


def test_two_threads_that_write_the_same_file_write_it_one_after_the_other(path):
    first = atomic.AtomicFile(path)
    first.write(b"first")
    thread = threading.Thread(target=atomic.write, args=(path, b"second"))
    thread.start()
    time.sleep(0.1)
    first.write(b" is whole")
    first.sync()
    with open(atomic.partial_path(path), "rb") as file:
        assert file.read() == b"first is whole"
    first.publish()
    thread.join()
    assert contents(path.parent) == {"a.bin": b"second"}


def test_the_longest_name(tmp_path):
    path = tmp_path / ("ä" * 127)
    atomic.write(path, b"1")
    assert contents(tmp_path) == {path.name: b"1"}


def test_a_link_is_replaced_and_its_target_left_alone(tmp_path):
    (tmp_path / "target").write_bytes(b"mine")
    (tmp_path / "link").symlink_to("target")
    atomic.write(tmp_path / "link", b"1")
    assert not (tmp_path / "link").is_symlink()
    assert contents(tmp_path) == {"target": b"mine", "link": b"1"}


def test_a_link_in_the_place_of_the_temporary_file_is_not_written_through(path):
    path.with_name("mine").write_bytes(b"mine")
    os.symlink("mine", atomic.partial_path(path))
    with pytest.raises(OSError, match="symbolic links"):
        atomic.write(path, b"1")
    assert path.with_name("mine").read_bytes() == b"mine"


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo], ids=["folder", "fifo"])
def test_what_is_no_file_is_not_replaced(tmp_path, make):
    make(tmp_path / "a")
    with pytest.raises(UserError, match=r"Cannot write to .*/a: it is not a regular file"):
        atomic.write(tmp_path / "a", b"1")
    assert os.listdir(tmp_path) == ["a"]
    (tmp_path / "b").write_bytes(b"1")
    with pytest.raises(UserError, match=r"Cannot write to .*/a: it is not a regular file"):
        atomic.publish(tmp_path / "b", tmp_path / "a")


def test_output_goes_through_links_and_pipes(tmp_path):
    (tmp_path / "target").write_bytes(b"old")
    (tmp_path / "link").symlink_to("target")
    atomic.write_output(tmp_path / "link", "new\n")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"new\n"
    atomic.write_output("/dev/null", "text")
    assert not os.path.isfile("/dev/null")
    atomic.write_output(tmp_path / "plain", "text")
    assert (tmp_path / "plain").read_text() == "text"


def test_publish_gives_a_finished_file_its_name(tmp_path):
    (tmp_path / "a.part").write_bytes(b"1")
    atomic.publish(tmp_path / "a.part", tmp_path / "a")
    assert contents(tmp_path) == {"a": b"1"}
