"""Addresses of buckets, given to each program: one line, and nothing written."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

import slim_internal

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


# Reads which flags a script has, and gives each of them, in a fork of its own, an address.
_EACH_FLAG = """
import json, os, runpy, sys
from slim_internal.ground import cli
from slim_internal.ground.cli import config_flags
from slim_internal.ground.settings import described

script, address, file_address = sys.argv[1:]
mains, classes = [], []
cli.run = (lambda run: lambda main, **rest: mains.append(lambda: run(main, **rest)))(cli.run)
define = config_flags.define
config_flags.define = lambda *given: classes.append(given[0]) or define(*given)
runpy.run_path(script, run_name="__main__")

def said(argument):
    reader, writer = os.pipe()
    if not os.fork():
        os.dup2(writer, 1)
        os.dup2(writer, 2)
        sys.argv = [script, argument]
        mains[0]()
    os.close(writer)
    with os.fdopen(reader) as stream:
        text = stream.read()
    return os.waitstatus_to_exitcode(os.wait()[1]), text

def taken(settings_class, name):
    values = cli.flags.FlagValues()
    define(settings_class, values)
    required = [f.name for f in described(settings_class) if f.rule.required and f.name != name]
    values([script, *(f"--{other}=x" for other in required), f"--{name}={file_address}"])
    try:
        return getattr(config_flags.read(settings_class, values), name)
    except cli.UserError as error:
        return str(error)  # Something else is missing, or this is no path.

names = [
    name
    for name in cli.FLAGS
    if cli.FLAGS[name].flag_type() == "string"
    and not cli.FLAGS.find_module_defining_flag(name, "").startswith("absl")
]
refused = {name: said(f"--{name}={address}") for name in names} | {"": said(address)}
files = [
    (name, taken(settings_class, name))
    for settings_class in classes
    for name in names
    if name in settings_class.__dataclass_fields__
]
print(json.dumps([refused, files]))
"""

_SLIM = pathlib.Path(slim_internal.__file__).parents[1]
_PROGRAMS = [
    path
    for path in sorted(_SLIM.rglob("*.py"))
    if "slim_internal" not in path.parts and "cli.run(main" in path.read_text()
]


@pytest.mark.parametrize(
    ("script", "address"),
    [(path, ADDRESSES[number % 3]) for number, path in enumerate(_PROGRAMS)],
    ids=lambda value: getattr(value, "stem", ""),
)
def test_each_flag_refuses_buckets_and_takes_files(tmp_path, script, address):
    given = [str(script), address, "file:///a%20b/c"]
    result = subprocess.run(
        [sys.executable, "-c", _EACH_FLAG, *given],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(_SLIM), *sys.path])},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    refused, files = json.loads(result.stdout)
    scheme = address.partition(":")[0]
    for name, (code, text) in refused.items():
        assert (code, text.count("\n")) == (1, 1), (name, text)
        assert f"{scheme}:// is not supported" in text, (name, text)
    for name, value in files:
        assert value == "/a b/c" or "file:" not in value, (name, value)
    assert os.listdir(tmp_path) == []


def test_all_programs_are_looked_at():
    scripts = {path.name for path in _SLIM.glob("*.py")} - {"__init__.py"}
    assert scripts <= {path.name for path in _PROGRAMS}
    assert {"mobilenet_v1_train.py", "build_imagenet_data.py"} <= {p.name for p in _PROGRAMS}
