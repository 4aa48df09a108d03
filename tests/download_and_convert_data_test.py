"""The script as users run it: a process of its own, a real server, real signals."""

import os
import pathlib
import re
import signal
import subprocess
import sys
import time

import pytest

from datasets.storage import journal, manifest
from tests import golden_files
from tests.datasets import fake_data
from tests.slim_internal.ground.downloads import fault_server

SLIM = pathlib.Path(__file__).parents[1] / "slim"
SCRIPT = SLIM / "download_and_convert_data.py"


def run(*arguments: str, cwd: pathlib.Path | None = None) -> subprocess.CompletedProcess:
    return subprocess.run(command(*arguments), capture_output=True, text=True, cwd=cwd, env=env())


def command(*arguments: str) -> list[str]:
    return [sys.executable, os.fspath(SCRIPT), *arguments]


def env() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join([os.fspath(SLIM), *sys.path])}


def test_digits_in_the_folder_where_the_user_stands(tmp_path):
    result = run("--dataset_name=digits", "--dataset_dir=digits", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "digits holds digits: 1,437 train, 360 validation images" in result.stderr
    assert manifest.read(tmp_path / "digits").splits == {"train": 1437, "validation": 360}
    again = run("--dataset_name=digits", "--dataset_dir=digits", cwd=tmp_path)
    assert again.returncode == 0
    assert "none was written" in again.stderr


def test_verify_names_shard_and_record_and_a_rerun_rebuilds_only_that(tmp_path):
    convert = ("--dataset_name=digits", f"--dataset_dir={tmp_path}")
    verify = ("--verify", f"--dataset_dir={tmp_path}")
    assert run(*convert).returncode == 0
    victim = tmp_path / "digits_train.tfrecord"
    whole = victim.read_bytes()
    victim.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))

    result = run(*verify)
    assert result.returncode == 1
    damaged, last = result.stderr.splitlines()
    assert f"{victim}: record 1436 is damaged" in damaged
    assert last.startswith("error: Damaged files: 1.")

    assert "1 of 2 files written" in run(*convert).stderr
    assert victim.read_bytes() == whole
    assert run(*verify).stdout == f"All files of {tmp_path} are intact.\n"


def test_mnist_from_a_server(tmp_path):
    source = fake_data.make("mnist", tmp_path / "source")
    files = {path.name: path.read_bytes() for path in source.folder.iterdir()}
    with fault_server.serve(files) as server:
        result = run(
            "--dataset_name=mnist",
            f"--dataset_dir={tmp_path}/mnist",
            f"--source={server.url('')}",
            "--archive_checksums=off",
        )
    assert result.returncode == 0, result.stderr
    assert "60 train, 20 test images of 10 classes" in result.stderr


def test_archive_that_is_not_the_published_one_is_refused(tmp_path):
    source = fake_data.make("mnist", tmp_path / "source")
    result = run(
        "--dataset_name=mnist", f"--dataset_dir={tmp_path}/mnist", f"--source={source.folder}"
    )
    assert result.returncode == 1
    assert "train-images-idx3-ubyte.gz is damaged or another file" in result.stderr
    assert "--archive_checksums=off" in result.stderr
    assert not list((tmp_path / "mnist").glob("*.tfrecord"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--dataset_name is required: name of the dataset"),
        ([], "One of cifar10, digits, flowers"),
        (["--verify"], "--dataset_dir is required: folder with the converted dataset"),
        (["--verify", "--dataset_dir=."], "has no manifest.json to verify"),
        (["--dataset_name=flower"], "--dataset_dir is required: folder with the converted dataset"),
        (["--dataset_name=flower", "--dataset_dir=x"], "Did you mean 'flowers'?"),
        (["--dataset_name=mnist", "--dataset_dir=x", "--seed=3"], "--seed does not apply to mnist"),
        (["--dataset_nam=mnist"], "Unknown command line flag 'dataset_nam'"),
        (["--dataset_name=image_folder", "--dataset_dir=x"], "image_folder needs --source"),
    ],
)
def test_mistakes_are_one_line(arguments, message, tmp_path):
    result = run(*arguments, cwd=tmp_path)
    assert result.returncode == 1
    assert message in result.stderr
    assert result.stderr.startswith("error: ")
    assert "Traceback" not in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_damaged_picture_ends_the_run_with_its_name(tmp_path):
    source = fake_data.make("image_folder", tmp_path / "source")
    (source.folder / "bee/broken.jpg").write_bytes(b"\xff\xd8\xff")
    arguments = [
        "--dataset_name=image_folder",
        f"--dataset_dir={tmp_path}/set",
        f"--source={source.folder}",
    ]
    result = run(*arguments)
    assert result.returncode == 1
    assert "bee/broken.jpg' cannot be used" in result.stderr
    assert "--on_bad_image=skip" in result.stderr
    assert manifest.read(tmp_path / "set") is None
    result = run(*arguments, "--on_bad_image=skip")
    assert result.returncode == 0
    assert "Bad images: 1, listed in bad_images.csv" in result.stderr
    assert sum(manifest.read(tmp_path / "set").splits.values()) == 30


def test_interrupted_run_continues(tmp_path):
    """Ctrl-C in the middle: one line, no manifest; the next run keeps what was finished."""
    source = fake_data.make("image_folder", tmp_path / "source")
    for copy in range(100):  # Enough for the run to be caught in the middle.
        data = (source.folder / "ant/0 nr\n0.jpeg").read_bytes()
        (source.folder / f"ant/{copy}.jpg").write_bytes(data)
    arguments = [
        "--dataset_name=image_folder",
        f"--dataset_dir={tmp_path}/set",
        f"--source={source.folder}",
        "--num_shards=60",
    ]
    process = subprocess.Popen(command(*arguments), env=env(), stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not getattr(journal.read(tmp_path / "set"), "shards", None):
        time.sleep(0.001)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=10)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    assert manifest.read(tmp_path / "set") is None
    result = run(*arguments)
    assert result.returncode == 0, result.stderr
    written, count = map(int, re.search(r"(\d+) of (\d+) files written", result.stderr).groups())
    assert 0 < written < count
    assert not list(manifest.verify(tmp_path / "set"))


def test_flags_of_the_original():
    golden = golden_files.load("flags.json")["download_and_convert_data.py"]
    wanted = dict(golden["flags"])
    for flags in golden["flags_from_imported_modules"].values():
        wanted |= flags
    shown = run("--help").stdout
    for name, flag in wanted.items():
        default = "" if flag["default"] is None else flag["default"]
        assert f"  --{name}={default}\n" in shown
