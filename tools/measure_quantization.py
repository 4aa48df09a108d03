"""Measures what 8 bits cost: floats, 8 bits after training, 8 bits that were trained.

    bazel run //tools:measure_quantization
    bazel run //tools:measure_quantization -- --source=/my/images --model_name=mobilenet_v2 \\
        --image_size=96

Trains on the digits and on an image folder: that of --source, or tiles of two photographs that
come with scikit-learn, of which those of validation are not seen in training. From the same
checkpoint of floats one file is made by calibration, and one by some more steps with
--quantize_delay=0; for comparison the floats get as many steps more. All are evaluated on the
validation split.
"""

import pathlib
import tempfile
from typing import Any

import numpy as np
from absl import flags
from sklearn import datasets as photographs

from slim_internal.ground import cli
from slim_internal.ground.images import pixels

_MODEL = flags.DEFINE_string("model_name", "mobilenet_v1_025", "Name of the network.")
_SIZE = flags.DEFINE_integer("image_size", 32, "Height and width of the images.", lower_bound=8)
_SOURCE = flags.DEFINE_string("source", None, "Folder with a folder of images for each class.")
_STEPS = flags.DEFINE_integer("steps", 300, "Steps with floats.", lower_bound=1)
_MORE = flags.DEFINE_integer("quantized_steps", 150, "Steps more.", lower_bound=1)
_FOLDER = flags.DEFINE_string("folder", None, "Folder to keep everything in; else a temporary one.")

_TILE = 40  # Pixels.
_SPLIT = "validation"
# How the digits are prepared: not mirrored and cut, as photographs are.
_DIGITS = {"preprocessing_name": "lenet", "use_grayscale": True}


def _tiles(folder: pathlib.Path) -> str:
    """Writes tiles of two photographs that do not overlap as a folder of two classes."""
    images = photographs.load_sample_images()
    for path, photograph in zip(images.filenames, images.images, strict=True):
        target = folder / pathlib.Path(path).stem
        target.mkdir(parents=True, exist_ok=True)
        for top in range(0, photograph.shape[0] - _TILE, _TILE):
            for left in range(0, photograph.shape[1] - _TILE, _TILE):
                tile = photograph[top : top + _TILE, left : left + _TILE]
                encoded = pixels.encode_png(np.ascontiguousarray(tile))
                (target / f"{top}_{left}.png").write_bytes(encoded)
    return str(folder)


def _convert(name: str, folder: pathlib.Path, **options: Any) -> dict[str, Any]:
    from datasets.conversion import convert
    from datasets.conversion.settings import Conversion

    convert.convert(Conversion(dataset_name=name, dataset_dir=str(folder), **options))
    return {"dataset_name": name, "dataset_dir": str(folder)}


def _train(data: dict[str, Any], folder: pathlib.Path, steps: int, **changes) -> str:
    from slim_internal.programs.training import train
    from slim_internal.programs.training.settings import TrainConfig

    config = TrainConfig(
        **data,
        model_name=_MODEL.value,
        train_dir=str(folder),
        train_image_size=_SIZE.value,
        max_number_of_steps=steps,
        optimizer="adam",
        opt_epsilon=1e-8,
        learning_rate=0.002,
        learning_rate_decay_type="fixed",
        **changes,
    )
    return train.train(config).checkpoint


def _accuracy(data: dict[str, Any], folder: pathlib.Path, **network) -> float:
    from slim_internal.programs.evaluation import evaluate
    from slim_internal.programs.evaluation.settings import Evaluation

    if "graph" in network:  # Its description says how images are prepared.
        data = {name: value for name, value in data.items() if name not in _DIGITS}
    config = Evaluation(
        **data,
        **network,
        model_name=_MODEL.value,
        dataset_split_name=_SPLIT,
        eval_dir=str(folder / "eval"),
    )
    return evaluate.evaluate(config).accuracy


def _file(data: dict[str, Any], checkpoint: str, path: pathlib.Path, *, quantize: bool) -> str:
    from slim_internal.programs.export import inference_graph
    from slim_internal.programs.export.settings import Export

    config = Export(
        **data,
        model_name=_MODEL.value,
        image_size=_SIZE.value,
        checkpoint_path=checkpoint,
        output_file=str(path),
        format="tflite_int8",
        quantize=quantize,
    )
    return str(inference_graph.export(config).graph_path)


def _measure(data: dict[str, Any], folder: pathlib.Path) -> list[tuple[str, float]]:
    """Returns what was measured and its accuracy on the validation split."""
    floats = _train(data, folder / "floats", _STEPS.value)
    longer = _train(data, folder / "longer", _MORE.value, checkpoint_path=floats)
    trained = _train(data, folder / "int8", _MORE.value, checkpoint_path=floats, quantize_delay=0)
    size = {"eval_image_size": _SIZE.value}
    after = _file(data, floats, folder / "after_int8.tflite", quantize=False)
    after_longer = _file(data, longer, folder / "longer_int8.tflite", quantize=False)
    during = _file(data, trained, folder / "trained_int8.tflite", quantize=True)
    return [
        ("floats", _accuracy(data, folder, checkpoint_path=floats, **size)),
        ("  int8 by calibration", _accuracy(data, folder, graph=after)),
        ("floats, as many steps more", _accuracy(data, folder, checkpoint_path=longer, **size)),
        ("  int8 by calibration", _accuracy(data, folder, graph=after_longer)),
        (
            "8 bits simulated",
            _accuracy(data, folder, checkpoint_path=trained, quantize=True, **size),
        ),
        ("  int8 by training", _accuracy(data, folder, graph=during)),
    ]


@cli.entry()
def main(arguments):
    """Measures both datasets and prints a table."""
    del arguments
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(_FOLDER.value or temporary)
        source = _SOURCE.value or _tiles(folder / "tiles")
        own = _convert("image_folder", folder / "own", source=source)
        digits = _convert("digits", folder / "digits") | _DIGITS
        for name, data in {"digits": digits, "own": own}.items():
            for what, accuracy in _measure(data, folder / f"{name}_runs"):
                print(f"{name:8} {what:28} {accuracy:.4f}", flush=True)


if __name__ == "__main__":
    cli.run(main)
