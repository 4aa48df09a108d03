"""A conversion that is killed, or whose workers are, and how much memory it takes."""

import hashlib
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

import pytest

from datasets.storage import journal, manifest
from tests.datasets.converters.imagenet import fake_ilsvrc
from tools.benchmarks import imagenet_conversion_benchmark as benchmark

SCRIPT = pathlib.Path(__file__).parents[4] / "slim/download_and_preprocess_imagenet.py"
ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
KILLS = 20


def command(output, *flags) -> list[str]:
    shards = ("--train_shards=40", "--validation_shards=4", "--num_threads=2")
    return [sys.executable, str(SCRIPT), str(output), *shards, *flags]


def archive_flags(source) -> tuple[str, str]:
    return f"--source={source}", "--archive_checksums=off"


def start(output, *flags) -> subprocess.Popen:
    return subprocess.Popen(
        command(output, *flags),
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def digests(folder) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.glob("[tv]*-of-*")
    }


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return fake_ilsvrc.challenge().write(tmp_path_factory.mktemp("archives"))


@pytest.fixture(scope="module")
def undisturbed(source, tmp_path_factory):
    """Digests of the shards of a run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("undisturbed")
    output, errors = start(folder, *archive_flags(source)).communicate()
    assert output.splitlines()[-1] == "Finished writing all 340 images in data set.", errors
    return digests(folder)


def kill_when_written(shards: int, folder, source, pause: float) -> None:
    """Kills a conversion some seconds after so many shards are there, and before it has ended."""
    for _ in range(20):
        process = start(folder, *archive_flags(source))
        while process.poll() is None and len(list(folder.glob("[tv]*-of-*"))) < shards:
            pass  # All of them take a tenth of a second: any pause here would be too long.
        time.sleep(pause)
        process.kill()
        process.communicate()
        if process.returncode == -signal.SIGKILL and not (folder / manifest.FILENAME).exists():
            return
        for path in folder.iterdir():  # It was faster this time.
            path.unlink()
    pytest.fail("No conversion could be killed before its end.")


@pytest.mark.parametrize("number", range(KILLS))
def test_killed_at_any_moment_it_continues_to_the_same_bytes(source, undisturbed, tmp_path, number):
    """From before the first shard to after the last but one, in equal steps."""
    expected = undisturbed
    shards = number * (len(expected) - 1) // (KILLS - 1)
    kill_when_written(shards, tmp_path, source, random.Random(number).uniform(0, 0.01))

    there = digests(tmp_path)
    assert len(there) >= shards
    assert there.items() <= expected.items()  # No half shard under a final name.
    inodes = {path.name: path.stat().st_ino for path in tmp_path.glob("[tv]*-of-*")}
    journalled = noted(tmp_path)

    output, errors = start(tmp_path, *archive_flags(source)).communicate()
    assert output.splitlines()[-1] == "Finished writing all 340 images in data set.", errors
    assert digests(tmp_path) == expected
    for name in journalled & inodes.keys():  # What was finished has not been written again.
        assert (tmp_path / name).stat().st_ino == inodes[name]
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(".partial")]


def test_of_archives_that_are_replaced_after_a_kill_nothing_stays(source, tmp_path):
    """By others of the same names, sizes and times: what they make is what a fresh run makes."""
    state = {path.name: path.stat() for path in source.iterdir()}
    challenge = fake_ilsvrc.challenge()
    for synset, files in challenge.train.items():
        challenge.train[synset] = {name: other_table(data) for name, data in files.items()}
    replaced = challenge.write(tmp_path / "replaced")
    for path in replaced.iterdir():
        os.utime(path, ns=(state[path.name].st_atime_ns, state[path.name].st_mtime_ns))
    assert (replaced / fake_ilsvrc.TRAIN).stat().st_size == state[fake_ilsvrc.TRAIN].st_size
    (tmp_path / "set").mkdir()
    kill_when_written(20, tmp_path / "set", source, 0)
    for name in ("set", "fresh"):
        output, errors = start(tmp_path / name, *archive_flags(replaced)).communicate()
        assert output.splitlines()[-1] == "Finished writing all 340 images in data set.", errors
    assert digests(tmp_path / "set") == digests(tmp_path / "fresh")


def other_table(data: bytes) -> bytes:
    """Returns a JPEG of other colors and the same length: its first quantizers are doubled."""
    table = data.index(b"\xff\xdb") + 5
    return (
        data[:table] + bytes(min(2 * q, 255) for q in data[table : table + 9]) + data[table + 9 :]
    )


def noted(folder) -> set[str]:
    """Returns the shards that are noted as finished."""
    found = journal.read(folder)
    return set(found.shards) if found else set()


def workers_of(process: subprocess.Popen) -> list[int]:
    """Returns the process ids of the workers."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                arguments = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if parent == process.pid and b"spawn_main" in arguments:
                found.append(int(entry.name))
    return found


@pytest.fixture
def blocked(tmp_path):
    """A running conversion whose workers take long over each image."""
    folder = fake_ilsvrc.challenge().write_folders(tmp_path / "folders")
    large = tmp_path / "large.jpg"
    large.write_bytes(fake_ilsvrc.encode(fake_ilsvrc.picture(1, 5000, 5000)))
    for synset in fake_ilsvrc.SYNSETS:
        for path in (folder / "train" / synset).iterdir():
            path.unlink()
            os.link(large, path)
    (folder / "synsets.txt").write_text("\n".join(fake_ilsvrc.SYNSETS))
    (folder / "names.txt").write_text("".join(f"{s}\tname\n" for s in fake_ilsvrc.SYNSETS))
    process = start(
        tmp_path / "output",
        f"--train_directory={folder}/train",
        f"--validation_directory={folder}/validation",
        f"--labels_file={folder}/synsets.txt",
        f"--imagenet_metadata_file={folder}/names.txt",
        "--bounding_box_file=",
        "--verify_images=decode",
    )
    deadline = time.monotonic() + 120
    while len(list((tmp_path / "output").glob(".train-*.partial"))) < 2:
        assert time.monotonic() < deadline
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    yield process
    process.kill()
    process.communicate()


def test_a_worker_that_the_system_kills_ends_the_run(blocked, tmp_path):
    os.kill(workers_of(blocked)[0], signal.SIGKILL)
    begin = time.monotonic()
    output, errors = blocked.communicate(timeout=10)

    assert time.monotonic() - begin < 10
    assert blocked.returncode == 1
    assert "Finished" not in output
    assert "error: A worker process was killed" in errors
    assert "train-0000" in errors
    assert "Traceback" not in errors
    assert not (tmp_path / "output" / manifest.FILENAME).exists()


def test_workers_end_with_the_process_that_started_them(blocked):
    workers = workers_of(blocked)
    assert len(workers) == 2
    blocked.kill()
    deadline = time.monotonic() + 10
    while any(alive(worker) for worker in workers):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def alive(pid: int) -> bool:
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("workers", [1, 2])
def test_a_bad_picture_ends_all_workers_by_its_name(tmp_path, workers):
    challenge = fake_ilsvrc.challenge()
    name = fake_ilsvrc.train_name(fake_ilsvrc.SYNSETS[3], 5)
    challenge.train[fake_ilsvrc.SYNSETS[3]][name] = b"no picture"
    source = challenge.write(tmp_path / "archives")

    begin = time.monotonic()
    process = start(tmp_path / "output", *archive_flags(source), f"--num_threads={workers}")
    output, errors = process.communicate(timeout=60)

    assert process.returncode == 1
    assert "Finished" not in output
    assert errors.splitlines()[-1].startswith("error: ")
    assert f"{fake_ilsvrc.TRAIN}: {name}: it is not a JPEG or PNG image" in errors
    assert "Traceback" not in errors
    assert not (tmp_path / "output" / manifest.FILENAME).exists()
    assert time.monotonic() - begin < 60


def test_memory_does_not_grow_with_the_number_of_pictures(tmp_path):
    peaks = []
    for count in (1_000, 10_000):
        archive = tmp_path / f"{count}.tar"
        picture = fake_ilsvrc.jpeg(1)
        files = {fake_ilsvrc.validation_name(number): picture for number in range(count)}
        archive.write_bytes(fake_ilsvrc.tar(files))
        result = benchmark.run_conversion(archive, tmp_path / "output", workers=2)
        peaks.append((result.parent_mib, result.worker_mib))
    (few_parent, few_worker), (many_parent, many_worker) = peaks
    assert many_worker < 700
    assert many_worker - few_worker < 50
    assert many_parent - few_parent < 50
