"""Writes a trained network as TensorFlow Lite in 8 bits, in ranges taken from images of a dataset.

    python nets/post_training_quantization.py --model_name=mobilenet_v1 \\
        --checkpoint_path=/runs/v1 --dataset_dir=/data/imagenet --output_tflite=/runs/v1.tflite

The published program of this name, with its flags. export_inference_graph writes the same file with
--format=tflite_int8, and other formats; its --quantize takes the ranges of 8-bit training instead.
"""

import dataclasses
import logging
import os
import sys

if not __package__:  # Run as a file, Python looks for modules beside it instead of in slim/.
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from slim_internal.ground import cli
from slim_internal.ground.cli import config_flags
from slim_internal.ground.settings import Settings, setting

FLAGS = cli.FLAGS

# The name that TensorFlow Datasets has for it.
_IMAGENET = "imagenet2012"
# Any: what counts is that averages are asked for.
_DECAY = 0.9999


@dataclasses.dataclass(frozen=True, kw_only=True)
class Quantization(Settings, subject="8 bits after training"):
    """The published flags."""

    model_name: str | None = setting(
        None, "Name of the network; list_networks prints all names.", required=True, common=True
    )
    checkpoint_path: str | None = setting(
        None, "Checkpoint, or folder whose newest checkpoint is used.", required=True, common=True
    )
    dataset_dir: str | None = setting(
        None, "Folder with the converted dataset.", required=True, common=True
    )
    output_tflite: str | None = setting(
        None, "File to write, such as model.tflite.", required=True, common=True
    )
    dataset_name: str = setting(_IMAGENET, "Name of the dataset; imagenet2012 is imagenet.")
    dataset_split: str = setting("train", "Split whose images choose the ranges.")
    enable_ema: bool = setting(
        True, "Take the moving averages of the variables where the checkpoint holds them."
    )
    image_size: int = setting(224, "Height and width of the images in pixels.", at_least=1)
    num_classes: int = setting(1001, "Number of classes of the network.", at_least=1)
    num_steps: int = setting(
        1000, "Number of images of the split that choose the ranges.", at_least=1
    )
    use_model_specific_preprocessing: bool = setting(
        False, "Prepare images as the network's record says, instead of scaling them to -1..1."
    )


def _export_settings(chosen: Quantization):
    from datasets import dataset_factory
    from nets import mobilenet_v1_variant
    from slim_internal.parts.checkpoints import latest, restore
    from slim_internal.programs.export.settings import Export

    name = "imagenet" if chosen.dataset_name == _IMAGENET else chosen.dataset_name
    dataset = dataset_factory.get_dataset(name, chosen.dataset_split, chosen.dataset_dir)
    saved = restore.saved_shapes(latest.find(chosen.checkpoint_path))
    averages = any(each.endswith("/ExponentialMovingAverage") for each in saved)
    if chosen.enable_ema and not averages:
        logging.info("The checkpoint holds no moving averages: the weights themselves are taken.")
    return Export(
        model_name=chosen.model_name,
        preprocessing_name=None if chosen.use_model_specific_preprocessing else "inception",
        dataset_name=name,
        dataset_dir=chosen.dataset_dir,
        calibration_split=chosen.dataset_split,
        calibration_images=chosen.num_steps,
        labels_offset=mobilenet_v1_variant.labels_offset(
            name, chosen.num_classes, dataset.num_classes
        ),
        checkpoint_path=chosen.checkpoint_path,
        moving_average_decay=_DECAY if chosen.enable_ema and averages else None,
        image_size=chosen.image_size,
        output_file=chosen.output_tflite,
        format="tflite_int8",
    )


@cli.entry()
def main(_):
    """Writes the file that the flags name."""
    chosen = config_flags.read(Quantization)
    from slim_internal.programs.export import inference_graph

    exported = inference_graph.export(_export_settings(chosen))
    (comparison,) = exported.comparisons.values()
    print(f"Most likely class  that of the checkpoint for {comparison.agreement:.1%} of the images")
    print(f"Accuracy           {comparison.accuracy:.4f}", end="")
    print(f" on {chosen.dataset_split}, the checkpoint's {comparison.checkpoint_accuracy:.4f}")
    print(f"Written to         {exported.graph_path}")


config_flags.define(Quantization)

if __name__ == "__main__":
    cli.run(main)
