"""One process at a time: waiting for it, or being refused."""

import errno
import fcntl
import os
import subprocess
import sys
import threading

import pytest

from slim_internal.ground.errors import UserError
from slim_internal.ground.files import locks

HOLDER = """
import fcntl, os, sys
fcntl.flock(os.open(sys.argv[1], os.O_RDONLY), fcntl.LOCK_EX)
print(flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    process.stdout.readline()
    yield process
    process.kill()
    process.wait()


def open_folder(path):
    return os.open(path, os.O_RDONLY)


def test_refuse_says_that_another_process_has_it_until_that_dies(tmp_path, holder):
    with pytest.raises(UserError, match=r"^busy$"), locks.refuse(tmp_path, "busy"):
        pass
    holder.kill()
    holder.wait()
    with locks.refuse(tmp_path, "busy"):
        with pytest.raises(UserError, match=r"^busy$"), locks.refuse(tmp_path, "busy"):
            pass
    with locks.refuse(tmp_path, "busy"):
        pass


def test_whether_another_process_has_it_is_told_without_taking_it(tmp_path, holder):
    assert locks.is_held(tmp_path)
    holder.kill()
    holder.wait()
    assert not locks.is_held(tmp_path)
    with locks.refuse(tmp_path, "busy"):
        assert locks.is_held(tmp_path)


def test_a_glance_refuses_nobody(tmp_path):
    glance = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(glance, fcntl.LOCK_SH)
    timer = threading.Timer(0.02, os.close, [glance])
    timer.start()
    with locks.refuse(tmp_path, "busy"):
        pass
    timer.join()


def test_wait_waits_until_the_other_dies(tmp_path, holder, caplog):
    timer = threading.Timer(0.3, holder.kill)
    timer.start()
    with locks.wait(str(tmp_path), open_folder):
        assert holder.wait() != 0
    timer.join()
    assert "Another process is writing" in caplog.text


def test_wait_takes_the_new_file_when_the_old_one_was_renamed(tmp_path):
    path = tmp_path / "a.part"

    def opened(name):
        descriptor = os.open(name, os.O_RDWR | os.O_CREAT)
        if not (tmp_path / "a").exists():  # As if another process published it just now.
            path.rename(tmp_path / "a")
        return descriptor

    with locks.wait(str(path), opened) as descriptor:
        assert os.path.samestat(os.fstat(descriptor), os.stat(path))
        assert (tmp_path / "a").exists()


def test_wait_says_that_a_path_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    path = str(tmp_path / "file" / "below")
    with pytest.raises(UserError, match=r"Cannot write to .*below"), locks.wait(path, open_folder):
        pass


@pytest.mark.parametrize("lock", ["wait", "refuse"])
def test_a_file_system_without_locks_is_not_refused(tmp_path, monkeypatch, lock):
    def without_locks(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", without_locks)
    use = {
        "wait": lambda: locks.wait(str(tmp_path), open_folder),
        "refuse": lambda: locks.refuse(tmp_path, "busy"),
    }
    with use[lock]():
        pass
