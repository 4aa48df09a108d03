"""The script, run as a user runs it, on digits that our own converter wrote."""

import os
import subprocess
import sys

import pytest

from datasets.conversion import convert
from datasets.conversion.settings import Conversion


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sets") / "digits"
    convert.convert(Conversion(dataset_name="digits", dataset_dir=str(folder)))
    return folder


def run(*flags: str, cwd=None) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "inspect_dataset", *flags],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))},
        capture_output=True,
        text=True,
        cwd=cwd,
        check=False,
    )


def test_good_set(digits):
    result = run("--dataset_dir=digits", "--output_dir=seen", cwd=digits.parent)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[:3] == [
        "digits: 1,797 images of 10 classes (1,437 train, 360 validation).",
        "No problems: every record can be read and is consistent.",
        "No image occurs twice.",
    ]
    assert sorted(os.listdir(digits.parent / "seen")) == [
        "contact_sheet.png",
        "index.html",
        "report.json",
    ]


def test_damaged_set(digits, tmp_path):
    content = bytearray((digits / "digits_validation.tfrecord").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "digits_validation.tfrecord").write_bytes(content)
    result = run(f"--dataset_dir={tmp_path}", f"--output_dir={tmp_path}/seen")
    assert result.returncode == 1
    assert "digits_validation.tfrecord, record 1" in result.stdout
    assert "Traceback" not in result.stderr


def test_no_set(tmp_path):
    result = run(f"--dataset_dir={tmp_path}")
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"error: {tmp_path} holds no dataset")
