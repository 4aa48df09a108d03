"""Sorting the validation pictures into folders: once, twice, and after an interruption."""

import os
import signal
import subprocess
import sys
import time

import pytest

from datasets import preprocess_imagenet_validation_data as script
from slim_internal.ground import errors
from tests import golden_files
from tests.datasets.converters.imagenet import fake_ilsvrc

CHALLENGE = fake_ilsvrc.challenge()


@pytest.fixture
def unsorted(tmp_path):
    fake_ilsvrc.write_files(tmp_path / "pictures", CHALLENGE.validation)
    (tmp_path / "labels.txt").write_text("".join(f"{synset}\n" for synset in CHALLENGE.truth))
    return tmp_path


def run(*arguments):
    command = [sys.executable, "-m", script.__name__, *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def tree(folder) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


EXPECTED = {
    f"{synset}/{name}": data
    for synset, (name, data) in zip(CHALLENGE.truth, CHALLENGE.validation.items(), strict=True)
}


def test_moves_each_picture_into_the_folder_of_its_synset(unsorted):
    for moved in (40, 0):  # The second time nothing is left to do.
        result = run(unsorted / "pictures", unsorted / "labels.txt")
        assert result.returncode == 0, result.stderr
        assert result.stdout == f"Moved {moved} of 40 images into {folders()} folders.\n"
        assert tree(unsorted / "pictures") == EXPECTED


def folders() -> int:
    return len(set(CHALLENGE.truth))


def test_names_are_those_of_the_original():
    golden = golden_files.load("datasets.json")["preprocess_imagenet_validation_data"]
    pattern = golden["file_name"].removesuffix(" (1-based)")
    assert list(CHALLENGE.validation) == [pattern % number for number in range(1, 41)]


@pytest.mark.parametrize("point", range(0, 40, 5))
def test_an_interrupted_run_is_completed(unsorted, monkeypatch, point):
    moves = iter(range(40))
    replace = os.replace

    def interrupted(source, target):
        if next(moves) == point:
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr("os.replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        script.sort_into_folders(unsorted / "pictures", CHALLENGE.truth)
    monkeypatch.undo()

    assert script.sort_into_folders(unsorted / "pictures", CHALLENGE.truth) == 40 - point
    assert tree(unsorted / "pictures") == EXPECTED


@pytest.mark.parametrize("seconds", [0.02, 0.05, 0.1, 0.15])
def test_a_killed_run_is_completed(unsorted, seconds):
    command = [sys.executable, "-m", script.__name__, "pictures", "labels.txt"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    process = subprocess.Popen(command, cwd=unsorted, env=environment, stdout=subprocess.DEVNULL)
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    process.wait()

    script.sort_into_folders(unsorted / "pictures", CHALLENGE.truth)
    assert tree(unsorted / "pictures") == EXPECTED


def test_a_missing_picture_moves_nothing(unsorted):
    (unsorted / "pictures" / fake_ilsvrc.validation_name(17)).unlink()
    before = tree(unsorted / "pictures")

    result = run(unsorted / "pictures", unsorted / "labels.txt")

    assert result.returncode == 255  # As the original's.
    assert "ILSVRC2012_val_00000017.JPEG is missing" in result.stderr
    assert tree(unsorted / "pictures") == before
    with pytest.raises(errors.UserError, match="00000017"):
        script.sort_into_folders(unsorted / "pictures", CHALLENGE.truth)


def test_labels_that_are_no_text(unsorted):
    (unsorted / "labels.txt").write_bytes(b"\x89PNG\xff")
    result = run(unsorted / "pictures", unsorted / "labels.txt")
    assert result.returncode == 255
    assert result.stderr.startswith("error: ")
    assert "holds no synsets, one a line" in result.stderr


@pytest.mark.parametrize("arguments", [(), ("a",), ("a", "b", "c")], ids=["none", "one", "three"])
def test_a_wrong_number_of_arguments(arguments):
    result = run(*arguments)
    assert result.returncode == 255
    assert result.stderr.startswith("Usage")
