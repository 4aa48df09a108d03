"""The script as users run it."""

import json
import os
import pathlib
import subprocess
import sys

SCRIPT = pathlib.Path(__file__).parents[1] / "slim/list_networks.py"


def run(*arguments: str) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, os.fspath(SCRIPT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_prints_the_networks_that_are_named():
    result = run("vgg_a", "lenet")
    header, *rows = result.stdout.splitlines()
    assert header.split()[:4] == ["network", "size", "classes", "parameters"]
    assert [row.split()[:4] for row in rows] == [
        ["vgg_a", "224", "1000", "132,863,336"],
        ["lenet", "28", "10", "3,274,634"],
    ]


def test_prints_json():
    (facts,) = json.loads(run("--format=json", "mobilenet_v1").stdout)
    assert facts["parameters"] == 4_233_001
    assert len(facts["checkpoints"]) == 8


def test_prints_the_formats_of_the_networks_that_are_named():
    header, *rows = run("--export_formats", "lenet", "dcgan_generator").stdout.splitlines()
    assert header.split()[:3] == ["network", "size", "frozen"]
    assert [row.split()[:4] for row in rows] == [
        ["lenet", "28", "13.1", "MB,"],
        ["dcgan_generator", "32", "13.1", "MB,"],
    ]


def test_misspelt_network():
    result = run("mobilenet_v9")
    assert result.returncode == 1
    assert result.stderr.startswith("error: Unknown network 'mobilenet_v9'. Did you mean")
    assert len(result.stderr.splitlines()) == 1
