"""Compares accuracy as evaluated with accuracy after the statistics were estimated anew.

    python -m tools.measure_batch_norm --model_name=mobilenet_v1_025 --image_size=96
    python -m tools.measure_batch_norm --model_name=resnet_v1_50,inception_v3 --image_size=107 \\
        --steps=100 --fine_tuning_steps=40 --batch_size=16 \\
        --train_flag=--optimizer=adam --train_flag=--opt_epsilon=1e-8 \\
        --train_flag=--learning_rate=0.001

It trains on the handwritten digits, which need no download: from scratch, then from these weights
only the classifier, then the whole network. Each checkpoint is evaluated as it is, and again with
statistics that are the means over training batches. Where the two differ, evaluation would not show
what the weights can do. --before trains as without what the project does about it: the decay of the
statistics is the network's own from the first step on, they are not estimated at the end of a run,
and frozen layers normalize by the batch.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

from absl import app, flags

_MODELS = flags.DEFINE_list("model_name", ["mobilenet_v1_025"], "Networks.")
_DATASET = flags.DEFINE_string("dataset_name", "digits", "Dataset with a split validation.")
_FOLDER = flags.DEFINE_string(
    "dataset_dir", None, "Folder with the dataset; unless given, it is converted."
)
_SEED = flags.DEFINE_integer("seed", 0, "Seed of the runs.")
_BATCHES = flags.DEFINE_integer("batches", 40, "Batches that statistics are estimated anew on.")
_BEFORE = flags.DEFINE_bool("before", False, "Train as without what is done about statistics.")
_SIZE = flags.DEFINE_integer("image_size", 96, "Height and width of the images in pixels.")
_STEPS = flags.DEFINE_integer("steps", 300, "Steps from scratch.")
_FINE_TUNING_STEPS = flags.DEFINE_integer("fine_tuning_steps", 100, "Steps of fine-tuning.")
_BATCH = flags.DEFINE_integer("batch_size", 32, "Images per step.")
_TRAIN_FLAGS = flags.DEFINE_multi_string(
    "train_flag", [], "Flag of the training runs, --learning_rate=0.001 for example; repeatable."
)

_AS_BEFORE = {"final_statistics_batches": 0, "freeze_batch_norm": False}
_SLIM = pathlib.Path(__file__).resolve().parents[1] / "slim"

# No flag switches the rise of the decay off; averages over one step leave the network's own decay.
_CONSTANT_DECAY = """
import runpy, sys
from slim_internal.programs.training import statistics
statistics._WARM_UP_STEPS = 1
runpy.run_path(sys.argv.pop(1), run_name="__main__")
"""


def _run(script: str, **options: object) -> None:
    trains = script.startswith("train")
    before = ["-c", _CONSTANT_DECAY] if _BEFORE.value and trains else []
    command = [sys.executable, *before, str(_SLIM / f"{script}.py")]
    command += [f"--{name}={value}" for name, value in options.items()]
    command += _TRAIN_FLAGS.value if trains else []
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(_SLIM), *sys.path])}
    result = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    if result.returncode:
        said = (result.stderr or result.stdout).strip().splitlines() or ["nothing said"]
        raise SystemExit(f"{script} ended with {result.returncode}: {said[-1]}")


class _Measurement:
    """Trains and evaluates in folders of its own."""

    def __init__(self, folder: str, model_name: str, dataset_dir: str):
        self._folder = f"{folder}/{model_name}"
        self._common = {
            "dataset_name": _DATASET.value,
            "dataset_dir": dataset_dir,
            "model_name": model_name,
            "batch_size": _BATCH.value,
        }

    def train(self, name: str, **options: object) -> str:
        """Trains, or estimates statistics, and returns the folder with the checkpoint."""
        folder = f"{self._folder}/{name}"
        _run(
            "train_image_classifier",
            **self._common,
            train_image_size=_SIZE.value,
            train_dir=folder,
            save_summaries_secs=100_000,
            eval_every_epochs=0,
            seed=_SEED.value,
            **(_AS_BEFORE if _BEFORE.value else {}),
            **options,
        )
        return folder

    def accuracy(self, checkpoint: str) -> float:
        """Returns the accuracy on the validation split, in percent."""
        _run(
            "eval_image_classifier",
            **self._common,
            eval_image_size=_SIZE.value,
            dataset_split_name="validation",
            checkpoint_path=checkpoint,
            eval_dir=f"{checkpoint}/eval",
        )
        text = pathlib.Path(checkpoint, "eval", "metrics.json").read_text(encoding="utf-8")
        return 100 * json.loads(text)["accuracy"]

    def compare(self, what: str, checkpoint: str) -> None:
        """Prints a row of the table."""
        anew = self.train(
            f"{os.path.basename(checkpoint)}_anew",
            checkpoint_path=checkpoint,
            reestimate_batch_norm=_BATCHES.value,
        )
        evaluated, estimated = self.accuracy(checkpoint), self.accuracy(anew)
        print(
            f"{what:24} {evaluated:6.1f} {estimated:12.1f} {evaluated - estimated:+6.1f}",
            flush=True,
        )


def _classifier_scopes(model_name: str) -> str:
    sys.path.insert(0, str(_SLIM))
    from nets import nets_factory

    network = nets_factory.get_network(model_name)
    return ",".join((*network.classifier_scopes, *network.aux_scopes))


def _measure(measurement: _Measurement, scopes: str) -> None:
    """Prints the rows of a network."""
    scratch = measurement.train("scratch", max_number_of_steps=_STEPS.value)
    measurement.compare(f"scratch, {_STEPS.value} steps", scratch)
    tuning = {
        "checkpoint_path": scratch,
        "checkpoint_exclude_scopes": scopes,
        "max_number_of_steps": _FINE_TUNING_STEPS.value,
    }
    head = measurement.train("head", trainable_scopes=scopes, **tuning)
    measurement.compare(f"classifier, {_FINE_TUNING_STEPS.value} steps", head)
    whole = measurement.train("whole", **tuning)
    measurement.compare(f"all, {_FINE_TUNING_STEPS.value} steps", whole)


def main(_: list[str]) -> None:
    """Prints tables: percent as evaluated, percent with statistics anew, the difference."""
    with tempfile.TemporaryDirectory() as folder:
        data = _FOLDER.value or f"{folder}/data"
        if not _FOLDER.value:
            _run("download_and_convert_data", dataset_name=_DATASET.value, dataset_dir=data)
        for name in _MODELS.value:
            title = f"{name}, {_SIZE.value} px"
            print(f"{title:24} {'evaluated':>6} {'estimated anew':>12}", flush=True)
            _measure(_Measurement(folder, name, data), _classifier_scopes(name))


if __name__ == "__main__":
    app.run(main)
