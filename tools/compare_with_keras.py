"""Trains on the same images with a recipe of this project and with that of Keras, and compares.

    python -m tools.compare_with_keras                       # handwritten digits, as PNG files
    python -m tools.compare_with_keras --source=FOLDER --steps=2000

Both train MobileNet v1 of width 0.25 from random weights at the same size of images, with batches
of the same size and for the same number of steps; both are evaluated on the same held-out images.
The one is slim/recipes/own_images_scratch_small.flags; the other is what Keras' guide shows:
`image_dataset_from_directory`, rescaling, `keras.applications.MobileNet`, Adam, `fit`. Its moving
statistics of batch normalization average over 100 steps, so that a run needs several hundred.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from absl import app, flags
from PIL import Image

_SOURCE = flags.DEFINE_string("source", "", "Folder with train/CLASS and val/CLASS; the digits.")
_STEPS = flags.DEFINE_integer("steps", 1000, "Steps of both.", lower_bound=1)
_SIZE = flags.DEFINE_integer("image_size", 64, "Height and width in pixels.", lower_bound=32)
_BATCH = flags.DEFINE_integer("batch_size", 32, "Images per step.", lower_bound=1)
_SEED = flags.DEFINE_integer("seed", 0, "Seed of both.")

_SLIM = pathlib.Path(__file__).resolve().parents[1] / "slim"
_RECIPE = "recipes/own_images_scratch_small.flags"

# Run by itself: this project switches TensorFlow to graph mode.
_KERAS = """
import sys
import keras
source, steps, size, batch, seed = sys.argv[1], *map(int, sys.argv[2:])
keras.utils.set_random_seed(seed)
train, held_out = (
    keras.utils.image_dataset_from_directory(
        f"{source}/{split}", image_size=(size, size), batch_size=batch, seed=seed,
        shuffle=split == "train",
    )
    for split in ("train", "val")
)
classes = len(train.class_names)
model = keras.Sequential([
    keras.layers.Rescaling(1 / 127.5, offset=-1),
    keras.applications.MobileNet((size, size, 3), alpha=0.25, weights=None, classes=classes),
])
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(train.repeat(), steps_per_epoch=steps, epochs=1, verbose=0)
print("accuracy", model.evaluate(held_out, verbose=0)[1])
"""


def _write_digits(folder: pathlib.Path) -> None:
    """Writes scikit-learn's digits as 32 x 32 PNG files; every fifth is held out."""
    from sklearn import datasets  # Only where they are needed.

    digits = datasets.load_digits()
    for number, (image, label) in enumerate(zip(digits.images, digits.target, strict=True)):
        place = folder / ("train" if number % 5 else "val") / str(label)
        place.mkdir(parents=True, exist_ok=True)
        gray = Image.fromarray(np.uint8(image * 255 / 16)).resize((32, 32))
        gray.convert("RGB").save(place / f"{number:04}.png")


def _run(*command: object) -> str:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(_SLIM), *sys.path])}
    words = [sys.executable, *map(str, command)]
    return subprocess.run(
        words, env=environment, check=True, text=True, stdout=subprocess.PIPE
    ).stdout


def _ours(source: pathlib.Path, folder: pathlib.Path) -> float:
    dataset = ["--dataset_name=image_folder", f"--dataset_dir={folder / 'data'}"]
    train = folder / "train"
    _run(_SLIM / "download_and_convert_data.py", *dataset, f"--source={source}")
    _run(
        _SLIM / "train_image_classifier.py",
        f"--flagfile={_SLIM / _RECIPE}",
        *dataset,
        f"--train_dir={train}",
        f"--train_image_size={_SIZE.value}",
        f"--batch_size={_BATCH.value}",
        f"--max_number_of_steps={_STEPS.value}",
        "--num_epochs=1000000",
        f"--seed={_SEED.value}",
    )
    _run(
        _SLIM / "eval_image_classifier.py",
        *dataset,
        "--dataset_split_name=validation",
        "--model_name=mobilenet_v1_025",
        f"--checkpoint_path={train}",
        f"--eval_dir={folder / 'eval'}",
        f"--eval_image_size={_SIZE.value}",
    )
    return json.loads((folder / "eval" / "metrics.json").read_text())["accuracy"]


def _keras(source: pathlib.Path) -> float:
    numbers = (_STEPS.value, _SIZE.value, _BATCH.value, _SEED.value)
    return float(_run("-c", _KERAS, source, *numbers).split("accuracy")[-1])


def main(_) -> None:
    """Trains twice and prints both accuracies."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        source = pathlib.Path(os.path.expanduser(_SOURCE.value)) if _SOURCE.value else folder / "in"
        if not _SOURCE.value:
            _write_digits(source)
        theirs, ours = _keras(source), _ours(source, folder)
    print(f"{_STEPS.value} steps of {_BATCH.value} images at {_SIZE.value} pixels, width 0.25:")
    print(f"Keras      {theirs:.1%}")
    print(f"this one   {ours:.1%}, {ours / theirs:.1%} of it")


if __name__ == "__main__":
    app.run(main)
