"""Fetching while processes are killed, race or are interrupted, and where disks give out."""

import errno
import itertools
import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
import types

import pytest

from slim_internal.ground import errors
from slim_internal.ground.downloads import part_file
from slim_internal.ground.downloads.download import Policy
from tests.slim_internal.ground.downloads import fault_server
from tests.slim_internal.ground.downloads.fault_server import Fault
from tests.slim_internal.ground.downloads.small_file import (
    CONTENT,
    SIZE,
    assert_good,
    fetch,
    fetch_from,
    remote_file,
)

ROOT = os.getuid() == 0
NO_OTHER_USER = 5  # An exit code.


@pytest.fixture
def server():
    with fault_server.serve({"a.bin": CONTENT}) as server:
        yield server


# Run in a process of its own: says when it is ready, waits for a line, fetches argv[1] to argv[2].
PROGRAM = """
import signal, sys
from slim_internal.ground.downloads import download
from tests.slim_internal.ground.downloads import download_machine_test as test
signal.signal(signal.SIGINT, signal.default_int_handler)  # Whoever starts the tests.
print("ready", flush=True)
sys.stdin.readline()
test.fetch_url(sys.argv[1], sys.argv[2])
"""


def fetch_url(url: str, directory: str) -> str:
    return fetch(remote_file(url), directory, Policy(retries=3, backoff=0.01, stall_timeout=5))


def start_fetching(server, directory) -> subprocess.Popen:
    (process,) = start_fetching_at_once(server, directory, 1)
    return process


def start_fetching_at_once(server, directory, count: int) -> list[subprocess.Popen]:
    """Starts processes that all have their modules loaded before the first begins."""
    processes = [_prepare(server, directory) for _ in range(count)]
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    return processes


def _prepare(server, directory) -> subprocess.Popen:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, server.url("a.bin"), str(directory)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize("seed", range(20))
def test_kill_9_and_run_again(server, tmp_path, seed):
    server.rate = 1_000_000  # 0.3 seconds for the file.
    process = start_fetching(server, tmp_path)
    time.sleep(random.Random(seed).uniform(0, 0.35))
    process.kill()
    process.communicate()
    server.rate = None
    there = tmp_path / "a.bin"
    assert not there.exists() or there.read_bytes() == CONTENT

    fetch_from(server, tmp_path)

    assert_good(tmp_path)


# Whatever changes a file on disk, and whatever is done between two such steps.
STEPS = ("open", "ftruncate", "pwrite", "fsync", "replace", "unlink")


def fetch_and_die(url: str, directory: str, step: int) -> None:
    """Fetches, and is killed when it is about to take a step; of a small file half is written."""
    count = itertools.count()

    def deadly(function, before=lambda *arguments: None):
        def call(*arguments, **options):
            if next(count) == step:
                before(*arguments)
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments, **options)

        return call

    def write_half(content, file):
        file.write("{")
        file.flush()

    for name in STEPS:
        setattr(os, name, deadly(getattr(os, name)))
    json.dump = deadly(json.dump, write_half)
    fetch_url(url, directory)


def test_kill_9_before_every_single_step(server, tmp_path):
    """However it dies, the next run ends with the file, its receipt and nothing else."""
    for step in itertools.count():
        folder = tmp_path / str(step)
        arguments = (server.url("a.bin"), str(folder), step)
        process = multiprocessing.get_context("fork").Process(target=fetch_and_die, args=arguments)
        process.start()
        process.join(30)
        there = folder / "a.bin"
        assert not there.exists() or there.read_bytes() == CONTENT
        fetch_from(server, folder)
        assert_good(folder)
        if process.exitcode == 0:
            break
        assert process.exitcode == -signal.SIGKILL
    assert step > 15


@pytest.mark.parametrize("repetition", range(10))
def test_two_processes_at_once(server, tmp_path, repetition):
    server.rate = 1_000_000
    processes = start_fetching_at_once(server, tmp_path, 2)
    outputs = [process.communicate(timeout=30) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    assert sum("waiting for it" in errors for _, errors in outputs) == 1
    assert_good(tmp_path)
    assert len(server.requests) == 1


def test_a_process_that_waited_for_one_that_gave_up_fetches_the_file_itself(server, tmp_path):
    with part_file.claim(os.fspath(tmp_path / "a.bin")) as part:
        process = start_fetching(server, tmp_path)
        assert "waiting for it" in process.stderr.readline()
        part.discard()
    _, complaints = process.communicate(timeout=30)
    assert process.returncode == 0, complaints
    assert_good(tmp_path)


@pytest.mark.parametrize("repetition", range(10))
def test_two_processes_at_once_where_locks_mean_nothing(server, tmp_path, repetition, monkeypatch):
    monkeypatch.setattr("fcntl.flock", lambda descriptor, operation: None)
    server.rate = 3_000_000
    context = multiprocessing.get_context("fork")
    arguments = (server.url("a.bin"), str(tmp_path))
    processes = [context.Process(target=fetch_url, args=arguments) for _ in range(2)]
    for process in processes:
        process.start()
        time.sleep(random.Random(repetition).uniform(0, 0.1))
    for process in processes:
        process.join(30)
    # One of them may find its part file gone, and says so; the file is right all the same.
    assert 0 in [process.exitcode for process in processes]
    assert (tmp_path / "a.bin").read_bytes() == CONTENT


def test_interrupt_keeps_the_part_and_says_so_in_one_line(server, tmp_path):
    server.rate = 300_000
    process = start_fetching(server, tmp_path)
    while not server.bytes_sent > SIZE // 4:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=10)
    assert process.returncode != 0
    said = [line for line in stderr.splitlines() if line.startswith("Interrupted. ")]
    assert len(said) == 1
    assert str(tmp_path / "a.bin.part") in said[0]
    server.rate = None
    server.requests.clear()
    fetch_from(server, tmp_path)
    assert server.requests[0].range_start > 0
    assert_good(tmp_path)


IN_THE_WAY = {
    "folder": lambda path, other: path.mkdir(),
    "pipe": lambda path, other: os.mkfifo(path),
    "link": lambda path, other: path.symlink_to(other),
    "link_to_nothing": lambda path, other: path.symlink_to("/nowhere/file"),
}


@pytest.mark.parametrize("place", IN_THE_WAY.values(), ids=IN_THE_WAY)
def test_what_stands_in_the_place_of_the_part_is_left_alone(server, tmp_path, place):
    other = tmp_path / "other"
    other.write_bytes(b"dear to someone")
    place(tmp_path / "a.bin.part", other)
    with pytest.raises(errors.UserError, match=r"Cannot write to .*a\.bin\.part: .*move it away"):
        fetch_from(server, tmp_path)
    assert other.read_bytes() == b"dear to someone"
    assert sorted(os.listdir(tmp_path)) == ["a.bin.part", "other"]
    assert not server.requests


def test_full_disk_keeps_the_part_and_leaves_no_file(server, tmp_path, monkeypatch):
    room = [SIZE // 2]

    def pwrite(descriptor, data, offset, write=os.pwrite):
        if offset + len(data) > room[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, data, offset)

    monkeypatch.setattr("os.pwrite", pwrite)
    with pytest.raises(errors.UserError, match=r"disk is full.*Free some space"):
        fetch_from(server, tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["a.bin.part", "a.bin.part.json"]
    room[0] = SIZE
    fetch_from(server, tmp_path)
    assert_good(tmp_path)


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a disk of 200 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(folder)]
    if not ROOT or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small disk, and not in every sandbox")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_without_room_for_the_description_of_a_part(server, small_disk):
    (small_disk / "filling").write_bytes(bytes(200 << 10))
    with pytest.raises(errors.UserError, match="disk is full"):
        fetch_from(server, small_disk, size=None)
    assert sorted(os.listdir(small_disk)) == ["a.bin.part", "filling"]


def test_a_disk_that_turns_out_too_small(server, small_disk):
    server.faults = [Fault(chunked=True)]
    with pytest.raises(errors.UserError, match="disk is full"):
        fetch_from(server, small_disk, size=None)
    assert not (small_disk / "a.bin").exists()


@pytest.mark.parametrize("strong", [True, False], ids=["to_be_continued", "of_no_use"])
def test_a_disk_is_not_filled_by_a_file_of_unknown_size(server, tmp_path, monkeypatch, strong):
    free = [100_000]

    def usage(folder):
        there = sum(path.stat().st_size for path in tmp_path.iterdir())
        return types.SimpleNamespace(total=1_000_000, used=0, free=free[0] - there)

    monkeypatch.setattr("shutil.disk_usage", usage)
    server.faults = [Fault(chunked=True, headers={} if strong else {"ETag": ""})]
    with pytest.raises(
        errors.UserError, match=r"disk is full but for .*size of a\.bin is not known"
    ):
        fetch_from(server, tmp_path, size=None)
    assert usage("").free >= 50_000
    assert (tmp_path / "a.bin.part").exists() == strong
    free[0] = 10_000_000
    fetch_from(server, tmp_path, size=None)
    assert_good(tmp_path)
    assert (server.requests[-1].range_start is not None) == strong


@pytest.mark.parametrize("size", [SIZE, None], ids=["size_known", "announced"])
def test_a_disk_known_to_be_too_small(server, small_disk, size):
    with pytest.raises(errors.UserError, match=r"Too little space.*300.0 kB needed"):
        fetch_from(server, small_disk, size=size)
    assert len(server.requests) == (0 if size else 1)
    assert server.bytes_sent < SIZE or not size


def _fetch_as_nobody(url: str, directory: str) -> None:
    try:
        if ROOT:
            os.setuid(65534)
    except OSError:
        sys.exit(NO_OTHER_USER)
    try:
        fetch_url(url, directory)
    except errors.UserError as error:
        sys.exit(3 if f"Cannot write to {directory}: " in str(error) else 4)


def test_a_folder_that_cannot_be_written_is_told_before_any_transfer(server, tmp_path):
    # Root may write everywhere, so the attempt is made by another user.
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    locked = tmp_path / "locked"
    locked.mkdir()
    locked.chmod(0o555)
    arguments = (server.url("a.bin"), str(locked))
    process = multiprocessing.get_context("fork").Process(target=_fetch_as_nobody, args=arguments)
    process.start()
    process.join(30)
    if process.exitcode == NO_OTHER_USER:
        pytest.skip("root may write everywhere, and this sandbox has no other user")
    assert process.exitcode == 3
    assert not server.requests
