"""Trains a network and uses it, one tool after the other: on handwritten digits, or your images.

    bazel run //slim:quickstart
    bazel run //slim:quickstart -- --source=~/images

Each step prints the command that does it alone, and runs just that. Run it again to continue where
it was stopped; what is finished is reused. For the digits nothing is downloaded. --source names a
folder of your own images, with a folder for each class; a network that has learned ImageNet is
fine-tuned on them, if its weights are to be had, by a recipe of recipes/.
"""

import dataclasses
import json
import pathlib
import sys
import time
import typing

from slim_internal.ground import cli
from slim_internal.ground.cli import config_flags
from slim_internal.ground.cli.commands import Command
from slim_internal.ground.errors import UserError
from slim_internal.ground.settings import Settings, setting

if typing.TYPE_CHECKING:
    from slim_internal.programs.tour import own_images

FLAGS = cli.FLAGS

_IMAGE_LABEL = 7
_DIGITS_STEPS = 300
_RECIPES = (
    "own_images_classifier",
    "own_images_network",
    "own_images_scratch_small",
    "own_images_scratch_large",
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tour(Settings, subject="Tour"):
    """Where the tour leaves its files, and how long it trains."""

    output_dir: str = setting(
        "quickstart", "Folder for the dataset, the checkpoints and the exported graph."
    )
    max_number_of_steps: int | None = setting(
        None, "Training steps; 300 for the digits and those of the recipe unless given.", at_least=1
    )
    source: str | None = setting(
        None, "Folder of your own images, with a folder for each class.", subject="Own images"
    )
    recipe: str | None = setting(
        None,
        "How to train on them: only a classifier or the whole network, or from random weights;"
        " chosen by the weights that there are unless given.",
        choices=_RECIPES,
        subject="Own images",
    )
    model_name: str = setting("mobilenet_v1", "Network to fine-tune on them.", subject="Own images")
    checkpoint_path: str | None = setting(
        None,
        "Weights of the network to start from; published ones unless given.",
        subject="Own images",
    )
    channels: int | None = setting(
        None,
        "Channels of the images that the network reads: 1 (grayscale), 3 (color) or 4 (color and"
        " opacity); 3 unless given.",
        at_least=1,
        at_most=4,
        subject="Own images",
    )
    image_size: int | None = setting(
        None,
        "Height and width of the images in pixels; that of recipe or network unless given.",
        at_least=1,
        subject="Own images",
    )


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


def _own_images(settings: Tour, folder: pathlib.Path) -> "own_images.Tour":
    """Returns the tour on the user's images."""
    from slim_internal.programs.tour import own_images  # TensorFlow takes seconds to load.

    if not settings.source or not pathlib.Path(settings.source).is_dir():
        raise UserError(f"--source={settings.source} is not a folder.")
    weights = own_images.find_weights(
        settings.model_name, settings.checkpoint_path, settings.recipe
    )
    if weights.remark:
        print(weights.remark)
    recipe = settings.recipe or own_images.default_recipe(weights)
    return own_images.Tour(
        source=settings.source,
        folder=folder,
        recipe=recipe,
        recipe_file=own_images.recipe_file(pathlib.Path(__file__).parent, recipe),
        model_name=settings.model_name,
        checkpoint=weights.checkpoint,
        max_number_of_steps=settings.max_number_of_steps,
        channels=settings.channels,
        image_size=settings.image_size,
    )


def plan(settings: Tour) -> "own_images.Tour | None":
    """Returns the tour on the user's images, or None for the digits.

    Raises:
      UserError: If the settings do not fit each other, or what they name is not there.
    """
    if settings.source is not None:
        return _own_images(settings, pathlib.Path(settings.output_dir))
    _require_source(settings)
    return None


def _require_source(settings: Tour) -> None:
    """Refuses flags that mean nothing for the digits.

    Raises:
      UserError: If there is one.
    """
    for name in ("recipe", "checkpoint_path", "channels", "image_size"):
        value = getattr(settings, name)
        if value is not None:
            raise UserError(f"--{name}={value} applies to your own images: give --source=FOLDER.")


@cli.entry()
def main(_):
    """Runs the steps."""
    start = time.monotonic()
    settings = config_flags.read(Tour)
    folder = pathlib.Path(settings.output_dir)
    own = plan(settings)
    digits = _steps(folder, settings.max_number_of_steps or _DIGITS_STEPS)
    steps, count = (own.steps(), own.count) if own else (digits, len(digits))
    if folder.exists():
        print(f"{folder} already exists: what is finished in it is reused.")
    for number, (title, command) in enumerate(steps, start=1):
        print(f"\n[{number}/{count}] {title}\n\n{command.shown()}\n", flush=True)
        if command.script == "classify_image" and own is None:
            _write_image(folder)
        code = command.run()
        if code:
            print(f"\nStopped in step {number}. Run it again to continue.", file=sys.stderr)
            return code
    if own is None:
        _print_summary(folder, time.monotonic() - start)
    else:
        print(own.summary(time.monotonic() - start))
    return 0


config_flags.define(Tour)

if __name__ == "__main__":
    cli.run(main)
