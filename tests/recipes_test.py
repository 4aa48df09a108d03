"""The flag files in slim/ are commands that run: programs, flags, networks and scopes."""

import math
import os
import pathlib
import re
import subprocess
import sys

import pytest
from absl import flags

import slim_internal
from datasets import dataset_factory
from nets import nets_factory
from slim_internal.ground.cli import config_flags
from slim_internal.parts.checkpoints import published, restore
from slim_internal.programs.evaluation.settings import Evaluation
from slim_internal.programs.export.settings import Export
from slim_internal.programs.training import train
from slim_internal.programs.training.settings import TrainConfig
from tests.datasets import fake_data
from tests.slim_internal.programs.training import tiny_dataset

_SLIM = pathlib.Path(slim_internal.__file__).parents[1]
_RECIPES = {path.stem: path for path in sorted(_SLIM.glob("scripts/*.flags"))}
_SETTINGS = {
    "eval_image_classifier": Evaluation,
    "export_inference_graph": Export,
    "train_image_classifier": TrainConfig,
}


_OWN = {path.stem: path for path in sorted(_SLIM.glob("recipes/*.flags"))}


def _settings(name: str, *more: str) -> TrainConfig:
    """Returns the settings of a recipe for training that is not the original's."""
    path = _OWN[name]
    assert f"python train_image_classifier.py --flagfile=recipes/{path.name}" in path.read_text()
    values = flags.FlagValues()
    config_flags.define(TrainConfig, values)
    assert values(["train", f"--flagfile={path}", *more]) == ["train"]
    return config_flags.read(TrainConfig, values)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny")
    return tiny_dataset.write(str(folder), 12, num_classes=3)


@pytest.mark.parametrize("name", _OWN)
def test_recipe_trains_for_two_steps(name, images, tmp_path):
    network = nets_factory.get_network(_settings(name).model_name)
    size = max(96, network.min_image_size)
    more = ["--batch_size=2", f"--train_image_size={size}", "--max_number_of_steps=2"]
    more += [f"--train_dir={tmp_path}/first", "--labels_offset=0", "--final_statistics_batches=1"]
    if _settings(name).checkpoint_path:
        scratch = train.train_on(images, network, _settings(name, *more, "--checkpoint_path="))
        more += [f"--checkpoint_path={scratch.checkpoint}", f"--train_dir={tmp_path}/second"]
    result = train.train_on(images, network, _settings(name, *more))
    assert (result.step, result.exit_code) == (2, 0)
    assert math.isfinite(result.loss)


@pytest.mark.parametrize("name", [name for name in _OWN if name.startswith("imagenet")])
def test_recipe_for_imagenet_says_paper_accuracy_time_and_what_was_not_measured(name):
    text = _OWN[name].read_text()
    settings = _settings(name)
    network = nets_factory.get_network(settings.model_name)
    assert network.paper in text
    assert f"{network.checkpoints[0].top1} %" in text
    assert "Not measured here: accuracy and time." in text
    assert "Expected time, computed: " in text
    assert settings.labels_offset == network.labels_offset


def _read(name: str):
    """Returns the settings that the command in the comment of a recipe gives."""
    path = _RECIPES[name]
    commands = re.findall(r"^#     python (\w+)\.py (\S+)$", path.read_text(), re.MULTILINE)
    ((program, flag),) = commands
    assert flag == f"--flagfile=scripts/{path.name}"
    values = flags.FlagValues()
    config_flags.define(_SETTINGS[program], values)
    assert values([program, f"--flagfile={path}"]) == [program]
    return config_flags.read(_SETTINGS[program], values)


def test_recipes_of_the_original_are_there():
    networks = ("inception_v1", "inception_v3", "inception_resnet_v2", "resnet_v1_50")
    assert set(_RECIPES) == {
        "export_mobilenet",
        *(f"{verb}_lenet_on_mnist" for verb in ("train", "eval")),
        *(f"{verb}_cifarnet_on_cifar10" for verb in ("train", "eval")),
        *(f"eval_{network}_on_flowers" for network in networks),
        *(f"finetune_{network}_on_flowers" for network in networks),
        *(f"finetune_{network}_on_flowers_all" for network in networks),
    }


@pytest.mark.parametrize("name", _RECIPES)
def test_recipe_names_what_there_is(name):
    settings = _read(name)
    nets_factory.get_network(settings.model_name)
    splits = dataset_factory.get_record(settings.dataset_name).splits
    if name != "export_mobilenet":
        assert settings.dataset_split_name in splits


@pytest.mark.parametrize("name", [name for name in _RECIPES if name.endswith("_all")])
def test_stages_of_fine_tuning_follow_each_other(name):
    first, second = _read(name.removesuffix("_all")), _read(name)
    last = _read(name.removesuffix("_all").replace("finetune", "eval"))
    network = nets_factory.get_network(first.model_name)
    scopes = first.checkpoint_exclude_scopes.split(",")
    assert all(restore.in_scopes(scope, scopes) for scope in network.classifier_scopes)
    assert set(scopes) <= {*network.classifier_scopes, *network.aux_scopes}
    assert first.trainable_scopes == first.checkpoint_exclude_scopes
    assert published.get(first.checkpoint_path).network.name == first.model_name
    assert second.checkpoint_path == first.train_dir
    assert last.checkpoint_path == second.train_dir
    assert second.trainable_scopes is None


def test_lenet_on_mnist_runs_with_the_flags_of_the_original(tmp_path):
    source = fake_data.make("mnist", tmp_path / "source")
    data, train = f"--dataset_dir={tmp_path}/mnist", f"{tmp_path}/train"
    steps = [
        (
            "download_and_convert_data",
            "--dataset_name=mnist",
            f"--source={source.folder}",
            "--archive_checksums=off",
        ),
        (
            "train_image_classifier",
            "--flagfile=scripts/train_lenet_on_mnist.flags",
            f"--train_dir={train}",
            "--max_number_of_steps=1",
            "--alsologtostderr",
        ),
        (
            "eval_image_classifier",
            "--flagfile=scripts/eval_lenet_on_mnist.flags",
            f"--checkpoint_path={train}",
            f"--eval_dir={train}",
            "--alsologtostderr",
        ),
    ]
    for program, *arguments in steps:
        result = subprocess.run(
            [sys.executable, f"{program}.py", *arguments, data],
            cwd=_SLIM,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stderr
    assert "Examples    20\n" in result.stdout
