"""The program as its users run it: output, exit codes, folders, verification, downloads."""

import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

from datasets import imagenet_classes
from tests.datasets.converters.imagenet import fake_ilsvrc
from tests.slim_internal.ground.downloads import fault_server

SCRIPT = pathlib.Path(__file__).parents[1] / "slim/download_and_preprocess_imagenet.py"
SHARDS = ("--train_shards=8", "--validation_shards=2")
LAST_LINE = "Finished writing all 340 images in data set."


def run(*arguments, module: str | None = None, **environment):
    """Runs the program, or another module, without a terminal."""
    command = [sys.executable, "-m", module] if module else [sys.executable, str(SCRIPT)]
    return subprocess.run(
        [*command, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))} | environment,
    )


def failure(result) -> str:
    """Returns the one error line of a run that failed as it should."""
    assert result.returncode == 1, result.stderr
    assert "Traceback" not in result.stderr
    assert "Finished" not in result.stdout
    lines = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert lines == result.stderr.splitlines()[-1:]
    return lines[0]


def shards(folder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("[tv]*-of-*")}


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return fake_ilsvrc.challenge().write(tmp_path_factory.mktemp("archives"))


@pytest.fixture(scope="module")
def reference(source, tmp_path_factory):
    folder = tmp_path_factory.mktemp("reference")
    result = run(folder, f"--source={source}", "--archive_checksums=off", *SHARDS)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1] == LAST_LINE
    return folder


@pytest.fixture
def data_dir(reference, tmp_path):
    """A copy of the complete set that a test may damage."""
    return pathlib.Path(shutil.copytree(reference, tmp_path / "data"))


def again(data_dir, source):
    return run(data_dir, f"--source={source}", "--archive_checksums=off", *SHARDS)


def test_a_second_run_writes_nothing_and_says_so(reference, source):
    before = {path: path.stat().st_mtime_ns for path in reference.glob("[tv]*-of-*")}
    result = again(reference, source)
    assert result.stdout.splitlines()[-1] == LAST_LINE
    assert "none was written" in result.stderr
    assert before == {path: path.stat().st_mtime_ns for path in reference.glob("[tv]*-of-*")}


def test_a_second_run_needs_no_archives(data_dir, source):
    gone = source / "elsewhere"
    result = again(data_dir, gone)
    assert result.stdout.splitlines()[-1] == LAST_LINE, result.stderr
    assert "none was written" in result.stderr
    whole = run(data_dir, f"--source={gone}", *SHARDS)
    assert "40 of validation, 300 of train" in failure(whole)
    damage(data_dir / "train-00003-of-00008", "flipped bit")
    result = again(data_dir, gone)
    assert "lacks ILSVRC2012_devkit_t12.tar.gz" in failure(result)
    assert re.search(r"train-00003-of-00008: record \d+ is damaged.*rebuild it", result.stderr)
    assert (data_dir / "manifest.json").exists()


def test_archives_in_raw_data_and_the_default_numbers_of_shards(reference, source, tmp_path):
    (tmp_path / "raw-data").symlink_to(source)
    result = run(tmp_path, "--archive_checksums=off")
    assert result.stdout.splitlines()[-1] == LAST_LINE, result.stderr
    names = {path.name for path in tmp_path.glob("[tv]*-of-*")}
    expected = {f"train-{index:05d}-of-01024" for index in range(1024)}
    assert names == expected | {f"validation-{index:05d}-of-00128" for index in range(128)}


def damage(path: pathlib.Path, kind: str) -> None:
    data = path.read_bytes()
    if kind == "deleted":
        path.unlink()
    elif kind == "cut by a byte":
        path.write_bytes(data[:-1])
    elif kind == "flipped bit":
        middle = len(data) // 2
        path.write_bytes(data[:middle] + bytes([data[middle] ^ 4]) + data[middle + 1 :])


DAMAGE = {
    "deleted": "is missing",
    "cut by a byte": r"record 37 is damaged",
    "flipped bit": r"record 1\d is damaged",
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_verify_names_shard_and_record_and_a_rerun_rebuilds_only_that(
    data_dir, reference, source, kind
):
    victim = data_dir / "train-00003-of-00008"
    damage(victim, kind)
    before = {path.name: path.stat().st_ino for path in data_dir.glob("[tv]*-of-*")}

    result = run("--verify", data_dir)
    assert "Damaged files: 1." in failure_after_report(result)
    report = [line for line in result.stderr.splitlines() if victim.name in line]
    assert len(report) == 1
    assert re.search(DAMAGE[kind], report[0])

    result = again(data_dir, source)
    assert result.returncode == 0, result.stderr
    assert "1 of 10 files written" in result.stderr
    assert shards(data_dir) == shards(reference)
    after = {path.name: path.stat().st_ino for path in data_dir.glob("[tv]*-of-*")}
    before.pop(victim.name, None)
    assert {name: after[name] for name in before} == before
    assert run("--verify", data_dir).stdout == f"All files of {data_dir} are intact.\n"


def failure_after_report(result) -> str:
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    return result.stderr.splitlines()[-1]


def test_verify_needs_a_converted_set(tmp_path):
    assert "has no manifest.json" in failure(run("--verify", tmp_path))


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """The same pictures unpacked, with the files that the original's flags name."""
    folder = fake_ilsvrc.challenge().write_folders(tmp_path_factory.mktemp("folders"))
    classes = imagenet_classes.classes()
    (folder / "synsets.txt").write_text("".join(f"{c.wordnet_id}\n" for c in classes))
    names = "".join(f"{c.wordnet_id}\t{c.names}\n" for c in classes)
    (folder / "metadata.txt").write_text("n00000001\tsomething else\n" + names)
    return folder


def folder_flags(folders, boxes) -> list[str]:
    return [
        f"--train_directory={folders}/train",
        f"--validation_directory={folders}/validation",
        f"--labels_file={folders}/synsets.txt",
        f"--imagenet_metadata_file={folders}/metadata.txt",
        f"--bounding_box_file={boxes}",
        *SHARDS,
    ]


@pytest.mark.parametrize(
    "program", ["this", "this, with the original's flags alone", "build_imagenet_data"]
)
def test_unpacked_folders_give_the_same_bytes(folders, reference, tmp_path, program):
    flags = folder_flags(folders, reference / "imagenet_2012_bounding_boxes.csv")
    output = f"--output_directory={tmp_path}"
    if program == "this":
        result = run(tmp_path, *flags)
    elif program == "this, with the original's flags alone":
        result = run(output, *flags)
    else:  # `~` is the user's folder.
        flags = [flag.replace(f"={folders}/", "=~/") for flag in flags]
        module = "datasets.build_imagenet_data"
        result = run(output, *flags, "--num_threads=3", module=module, HOME=str(folders))
    assert result.stdout.splitlines()[-1] == LAST_LINE, result.stderr
    assert shards(tmp_path) == shards(reference)
    assert (tmp_path / "labels.txt").read_text() == (reference / "labels.txt").read_text()


FOLDER_FAULTS = {
    "no folder": ("--train_directory=nowhere", r"No nowhere/<synset>/\*.JPEG"),
    "unsorted validation": ("--validation_directory={folders}", "preprocess_imagenet_validation"),
    "no labels": ("--labels_file=nowhere.txt", "nowhere.txt: No such file"),
    "no metadata": ("--imagenet_metadata_file={folders}/synsets.txt", "is not <synset> TAB"),
    "no boxes": ("--bounding_box_file=nowhere.csv", "nowhere.csv: No such file"),
}


@pytest.mark.parametrize(("flag", "message"), FOLDER_FAULTS.values(), ids=FOLDER_FAULTS)
def test_faulty_folders(folders, reference, tmp_path, flag, message):
    flags = folder_flags(folders, reference / "imagenet_2012_bounding_boxes.csv")
    result = run(tmp_path / "output", *flags, flag.format(folders=folders))
    assert re.search(message, failure(result))
    assert not (tmp_path / "output/manifest.json").exists()


def test_downloads_with_a_login_and_converts(source, reference, tmp_path):
    files = {path.name: path.read_bytes() for path in source.iterdir()}
    with fault_server.serve(files) as server:
        result = run(
            tmp_path,
            f"--base_url={server.base_url}",
            "--archive_checksums=off",
            *SHARDS,
            IMAGENET_USERNAME="someone",
            IMAGENET_ACCESS_KEY="s3cret-key",
        )
    assert result.stdout.splitlines()[-1] == LAST_LINE, result.stderr
    assert "s3cret-key" not in result.stdout + result.stderr
    assert shards(tmp_path) == shards(reference)


MISTAKES = {
    "no folder": ([], "Name the folder of the dataset"),
    "two folders": (["a", "b"], "Unexpected argument 'b'"),
    "another folder in the flags": (["a", "--output_directory=b"], "Name the folder"),
    "unknown flag": (["{tmp}", "--train_shard=3"], "Unknown command line flag 'train_shard'"),
    "no shards": (["{tmp}", "--train_shards=0"], "train_shards"),
    "less than no bad pictures": (["{tmp}", "--max_bad_images=-1"], "max_bad_images"),
    "unknown policy": (["{tmp}", "--on_bad_image=ignore"], "on_bad_image"),
    "no login": (["{tmp}/new"], "put these files into {tmp}/new/raw-data and run again"),
    "no source": (["{tmp}/new", "--source={tmp}/nowhere"], "lacks ILSVRC2012_devkit_t12.tar.gz"),
    "subset": (["{tmp}/new", "--source={source}"], "is damaged or another file"),
}


@pytest.mark.parametrize(("arguments", "message"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes_are_told_in_one_line(source, tmp_path, arguments, message):
    given = [argument.format(tmp=tmp_path, source=source) for argument in arguments]
    result = run(*given, IMAGENET_USERNAME="", IMAGENET_ACCESS_KEY="")
    assert message.format(tmp=tmp_path) in failure(result)


def test_other_data_is_left_alone(source, tmp_path):
    (tmp_path / "labels.txt").write_text("0:daisy\n")
    assert "holds other data (labels.txt)" in failure(again(tmp_path, source))
    assert [path.name for path in tmp_path.iterdir()] == ["labels.txt"]


def test_relative_paths_mean_the_users_folder(source, reference, tmp_path):
    result = run(
        "mine",
        f"--source={os.path.relpath(source, tmp_path)}",
        "--archive_checksums=off",
        *SHARDS,
        BUILD_WORKING_DIRECTORY=str(tmp_path),
    )
    assert result.returncode == 0, result.stderr
    assert shards(tmp_path / "mine") == shards(reference)
