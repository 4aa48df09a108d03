"""Trains a network on handwritten digits and uses it, one tool after the other.

    bazel run //slim:quickstart

Each step prints the command that does it alone, and runs just that. Nothing is downloaded. Run it
again to continue where it was stopped; what is finished is reused.
"""

import dataclasses
import json
import pathlib
import sys
import time

from slim_internal.ground import cli
from slim_internal.ground.cli import config_flags
from slim_internal.ground.cli.commands import Command
from slim_internal.ground.settings import Settings, setting

FLAGS = cli.FLAGS

_IMAGE_LABEL = 7


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tour(Settings, subject="Tour"):
    """Where the tour leaves its files, and how long it trains."""

    output_dir: str = setting(
        "quickstart", "Folder for the dataset, the checkpoints and the exported graph."
    )
    max_number_of_steps: int = setting(300, "Training steps.", at_least=1)


def _steps(folder: pathlib.Path, max_number_of_steps: int) -> list[tuple[str, Command]]:
    """Returns the steps: what each does, and its command."""
    data, train, evaluation = folder / "digits", folder / "train", folder / "eval"
    dataset = {"dataset_name": "digits", "dataset_dir": data}
    return [
        (
            "Convert 1,797 images of handwritten digits to TFRecords",
            Command("download_and_convert_data", dataset),
        ),
        (
            "Train LeNet",
            Command(
                "train_image_classifier",
                {
                    "train_dir": train,
                    **dataset,
                    "dataset_split_name": "train",
                    "model_name": "lenet",
                    "optimizer": "adam",
                    "opt_epsilon": 1e-8,
                    "learning_rate": 0.001,
                    "learning_rate_decay_type": "fixed",
                    "batch_size": 64,
                    "max_number_of_steps": max_number_of_steps,
                    "log_every_n_steps": 100,
                },
            ),
        ),
        (
            "Evaluate it on images it has not seen",
            Command(
                "eval_image_classifier",
                {
                    "checkpoint_path": train,
                    "eval_dir": evaluation,
                    **dataset,
                    "dataset_split_name": "validation",
                    "model_name": "lenet",
                },
            ),
        ),
        (
            "Export graph and weights as one file",
            Command(
                "export_inference_graph",
                {
                    "output_file": folder / "lenet.pb",
                    "checkpoint_path": train,
                    **dataset,
                    "model_name": "lenet",
                },
            ),
        ),
        (
            f"Classify {folder / 'digit.png'}, which shows a {_IMAGE_LABEL}",
            Command(
                "classify_image",
                {"graph": folder / "lenet.pb", "top_k": 3},
                [str(folder / "digit.png")],
            ),
        ),
    ]


def _write_image(folder: pathlib.Path) -> None:
    """Takes the first seven of the validation split out of its TFRecord file."""
    from datasets.storage import tfrecords
    from slim_internal.ground.compat import tf

    for record in tfrecords.read_records(folder / "digits" / "digits_validation.tfrecord"):
        feature = tf.train.Example.FromString(record).features.feature
        if feature["image/class/label"].int64_list.value[0] == _IMAGE_LABEL:
            (folder / "digit.png").write_bytes(feature["image/encoded"].bytes_list.value[0])
            return


def _print_summary(folder: pathlib.Path, seconds: float) -> None:
    metrics = json.loads((folder / "eval" / "metrics.json").read_text())
    print(f"""
Done in {seconds:.0f} s: {metrics["accuracy"]:.2%} of {metrics["num_examples"]} unseen digits \
are classified correctly.

{folder.resolve()}
  digits/    the dataset as TFRecords, with its labels and manifest
  train/     checkpoints, report.html, metrics.jsonl, TensorBoard summaries
  eval/      report.html, metrics.json, TensorBoard summaries
  lenet.pb   the exported graph, described by lenet.json
  digit.png  the image

Next: the curves (pip install tensorboard; tensorboard --logdir={folder}), the same on MNIST, or \
your own images: README.md.""")


@cli.entry()
def main(_):
    """Runs the steps."""
    start = time.monotonic()
    settings = config_flags.read(Tour)
    folder = pathlib.Path(settings.output_dir)
    if folder.exists():
        print(f"{folder} already exists: what is finished in it is reused.")
    steps = _steps(folder, settings.max_number_of_steps)
    for number, (title, command) in enumerate(steps, start=1):
        print(f"\n[{number}/{len(steps)}] {title}\n\n{command.shown()}\n", flush=True)
        if command.script == "classify_image":
            _write_image(folder)
        code = command.run()
        if code:
            print(f"\nStopped in step {number}. Run it again to continue.", file=sys.stderr)
            return code
    _print_summary(folder, time.monotonic() - start)
    return 0


config_flags.define(Tour)

if __name__ == "__main__":
    cli.run(main)
