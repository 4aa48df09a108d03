"""Addresses of buckets, given to each program: one line, and nothing written."""

import os
import subprocess
import sys

import pytest

COMMANDS = {
    # A program and its flags, with X in the place of the folder or file.
    "convert": ("download_and_convert_data", "--dataset_name=digits", "--dataset_dir=X"),
    "imagenet": ("download_and_preprocess_imagenet", "X"),
    "train": (
        "train_image_classifier",
        "--dataset_name=digits",
        "--dataset_dir=d",
        "--train_dir=X",
    ),
    "train_from": ("train_image_classifier", "--dataset_dir=X", "--train_dir=t"),
    "evaluate": ("eval_image_classifier", "--dataset_dir=d", "--eval_dir=X"),
    "export": ("export_inference_graph", "--model_name=lenet", "--output_file=X/lenet.pb"),
    "classify": ("classify_image", "--graph=a.pb", "--output_file=X/a.csv", "a.png"),
    "classify_image_file": ("classify_image", "--graph=a.pb", "X/a.png"),
    "inspect": ("inspect_dataset", "--dataset_dir=X"),
}
ADDRESSES = ["gs://bucket/a", "s3://bucket/a", "hdfs://host:9000/a"]


def run(command, address, folder):
    script, *arguments = command
    arguments = [argument.replace("X", address) for argument in arguments]
    return subprocess.run(
        [sys.executable, "-m", script, *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("name", "address"),
    [(name, ADDRESSES[index % 3]) for index, name in enumerate(COMMANDS)],
)
def test_an_address_of_a_bucket_is_one_line(tmp_path, name, address):
    result = run(COMMANDS[name], address, tmp_path)
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    assert f"{address.partition(':')[0]}:// is not supported" in line
    assert os.listdir(tmp_path) == []


def test_a_file_address_is_a_path(tmp_path):
    place = f"file://{tmp_path}/a%20b"
    result = run(COMMANDS["convert"], place, tmp_path)
    assert (result.returncode, os.listdir(tmp_path)) == (0, ["a b"]), result.stderr
    assert (tmp_path / "a b" / "manifest.json").exists()
