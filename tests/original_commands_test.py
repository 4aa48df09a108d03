"""Types every command of the original's documentation, on small data and for one step.

Each runs in a fork of this process, which has loaded TensorFlow already.
"""

import os
import pathlib
import runpy
import shlex
import string
import sys
import traceback

import numpy as np
import pytest

import slim_internal
from datasets.storage import example, tfrecords
from nets import nets_factory
from slim_internal.ground.compat import tf
from tests import original_commands
from tests.datasets import fake_data
from tests.original_commands import GROUPS, NETWORKS

_SLIM = pathlib.Path(slim_internal.__file__).parents[1]


def _forked(function, log: pathlib.Path) -> tuple[int, str]:
    """Calls a function in a fork; returns the exit code and what was printed."""
    process = os.fork()
    if not process:
        code = 1
        try:
            with log.open("wb") as output:
                os.dup2(output.fileno(), 1)
                os.dup2(output.fileno(), 2)
            function()
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        except BaseException:
            traceback.print_exc()
        finally:
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            os._exit(code or 0)
    _, status = os.waitpid(process, 0)
    return os.waitstatus_to_exitcode(status), log.read_text(errors="replace")


def _type(command: str, folder: pathlib.Path) -> str:
    """Runs `python ...` as a fresh interpreter in slim/ would; returns what it printed."""
    python, *words = shlex.split(command)
    assert python == "python"

    def call():
        os.chdir(_SLIM)
        sys.stdout, sys.stderr = (os.fdopen(number, "w", closefd=False) for number in (1, 2))
        if words[0] == "-m":
            sys.argv = words[1:]
            runpy.run_module(words[1], run_name="__main__", alter_sys=True)
        elif words[0] == "-c":
            exec(words[1], {})
        else:
            sys.argv = words
            runpy.run_path(words[0], run_name="__main__")

    code, printed = _forked(call, folder / "log")
    assert code == 0, f"{command}\n{printed}"
    return printed


def _save_published(name: str, size: int, path: pathlib.Path) -> str:
    """Saves random weights of the shapes of the published ones."""

    def save():
        network = nets_factory.get_network(name)
        with tf.Graph().as_default(), tf.Session() as session:
            images = tf.zeros([1, size, size, 3])
            nets_factory.get_network_fn(name, network.num_classes)(images)
            session.run(tf.global_variables_initializer())
            tf.train.Saver().save(session, str(path), write_meta_graph=False)

    code, printed = _forked(save, path.with_suffix(".log"))
    assert code == 0, printed
    return str(path)


def _write_imagenet(folder: pathlib.Path) -> str:
    """Writes a few records as the original's converter did, without a manifest."""
    folder.mkdir()
    for split in ("train", "validation"):
        records = []
        for index in range(4):
            picture = fake_data.picture(np.random.RandomState(index), 40, 50)
            encoded = fake_data.encoded(picture)
            records.append(example.image_example(encoded, b"JPEG", 40, 50, 1 + 200 * index))
        tfrecords.write_shard(folder / f"{split}-00000-of-00001", records)
    return str(folder)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """The sources of the datasets, and flowers, converted once."""
    folder = tmp_path_factory.mktemp("shared")
    for name in ("mnist", "cifar10", "flowers"):
        fake_data.make(name, folder / "source" / name)
    return folder


@pytest.fixture
def variables(shared, tmp_path):
    names = {
        "DATASET_DIR": f"{tmp_path}/data",
        "IMAGE": f"{tmp_path}/image.png",
        "SOURCE": f"{shared}/source",
        "TMP": str(tmp_path),
        "TRAIN_DIR": f"{tmp_path}/train",
    }
    pathlib.Path(names["IMAGE"]).write_bytes(
        fake_data.encoded(fake_data.picture(np.random.RandomState(1), 28, 28), "PNG")
    )
    return names


def _prepare(group: str, shared: pathlib.Path, folder: pathlib.Path) -> dict[str, str]:
    """Returns further variables, after making what they name."""
    if group == "imagenet":
        return {"DATASET_DIR": _write_imagenet(folder / "imagenet")}
    if group == "flowers":
        return {
            "IMAGENET_DIR": _write_imagenet(folder / "imagenet"),
            "CHECKPOINT_PATH": _save_published("resnet_v1_50", 64, folder / "model.ckpt"),
        }
    for network in NETWORKS:
        if group == f"{network.name}_on_flowers":
            data = shared / "flowers"
            if not data.exists():
                convert = GROUPS["flowers"][0]
                _run(convert, {"DATASET_DIR": str(data), "SOURCE": f"{shared}/source"}, folder)
            saved = _save_published(network.name, network.image_size, folder / "model.ckpt")
            return {"DATASET_DIR": str(data), "CHECKPOINT_PATH": saved}
    return {}


def _run(command: original_commands.Command, variables, folder: pathlib.Path) -> str:
    typed = command.instead or f"{command.shown} {command.small}"
    return _type(string.Template(typed).substitute(variables), folder)


@pytest.mark.parametrize("group", [name for name in GROUPS if name != "scripts"])
def test_commands_of_the_original(group, shared, variables, tmp_path):
    variables |= _prepare(group, shared, tmp_path)
    for command in GROUPS[group]:
        if not command.tested_by:
            _run(command, variables, tmp_path)
    for frozen in tmp_path.glob("frozen_*.pb"):
        graph = tf.GraphDef.FromString(frozen.read_bytes())
        assert not [node.name for node in graph.node if node.op.startswith("Variable")]


@pytest.mark.parametrize("command", GROUPS["scripts"], ids=lambda command: command.topic)
def test_scripts_have_flag_files(command):
    _, program, flag = command.instead.split()
    assert (_SLIM / program).is_file()
    assert (_SLIM / flag.removeprefix("--flagfile=")).is_file()


def test_the_page_is_what_the_table_says():
    page = pathlib.Path(original_commands.PAGE).read_text(encoding="utf-8")
    assert page == original_commands.text(), "bazel run //tests:original_commands"
