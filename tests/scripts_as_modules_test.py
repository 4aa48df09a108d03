"""Programs that import a script and start its `main`, as was usual with the original."""

import os
import subprocess
import sys

import pytest

from datasets.storage import manifest

# Name -> a program; {folder} is where the dataset goes.
PROGRAMS = {
    "flags_set_after_the_import": """
import tensorflow.compat.v1 as tf
import download_and_convert_data
tf.app.flags.FLAGS.dataset_name = "digits"
tf.app.flags.FLAGS.dataset_dir = "{folder}"
tf.app.run(download_and_convert_data.main)
""",
    "flags_of_the_module": """
import download_and_convert_data
from absl import app
download_and_convert_data.FLAGS.dataset_name = "digits"
download_and_convert_data.FLAGS.dataset_dir = "{folder}"
app.run(download_and_convert_data.main)
""",
    "command_line_set_before_the_import": """
import sys
sys.argv[1:] = ["--dataset_name=digits", "--dataset_dir={folder}"]
import tensorflow.compat.v1 as tf
import download_and_convert_data
tf.app.run(main=download_and_convert_data.main)
""",
    "flags_parsed_before_the_import": """
import sys
sys.argv[1:] = ["--dataset_name=digits", "--dataset_dir={folder}"]
from absl import app, flags
flags.FLAGS(sys.argv, known_only=True)
import download_and_convert_data
app.run(download_and_convert_data.main)
""",
    "flags_defined_by_the_caller": """
from absl import app, flags
flags.DEFINE_string("dataset_name", "digits", "Mine.")
flags.DEFINE_string("dataset_dir", "{folder}", "Mine.")
import download_and_convert_data
app.run(download_and_convert_data.main)
""",
    "several_scripts": """
from absl import app
import train_image_classifier, eval_image_classifier, export_inference_graph
import classify_image, download_and_convert_data, inspect_dataset, list_networks
from datasets import build_imagenet_data
train_image_classifier.FLAGS.dataset_name = "digits"
train_image_classifier.FLAGS.dataset_dir = "{folder}"
app.run(download_and_convert_data.main)
""",
}


def _run(program: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_main_of_a_script(program, tmp_path):
    result = _run(program.format(folder=tmp_path / "digits"))
    assert result.returncode == 0, result.stderr
    assert sum(manifest.read(tmp_path / "digits").splits.values()) == 1797


def test_a_script_keeps_its_defaults_beside_others():
    program = """
import train_image_classifier, eval_image_classifier, export_inference_graph
from slim_internal.ground.cli import config_flags
from slim_internal.programs.evaluation.settings import Evaluation
from slim_internal.programs.training.settings import TrainConfig
flags = train_image_classifier.FLAGS
flags(["program", "--dataset_dir=x"])
print(config_flags.read(TrainConfig, flags).batch_size, end=" ")
print(config_flags.read(Evaluation, flags).batch_size, end=" ")
flags.batch_size = 32
print(config_flags.read(Evaluation, flags).batch_size, end=" ")
"""
    result = _run(program)
    assert (result.stdout, result.stderr) == ("32 100 32 ", "")


def test_mistake_is_one_line_there_too():
    result = _run("""
from absl import app
import train_image_classifier
app.run(train_image_classifier.main)
""")
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1] == (
        "error: --dataset_dir is required: folder with the converted dataset."
    )
    assert "Traceback" not in result.stderr
