"""Evaluates MobileNet v1 of any width on the validation images of ImageNet.

    python nets/mobilenet_v1_eval.py --dataset_dir=/data/imagenet --checkpoint_dir=/runs/v1 \\
        --eval_dir=/runs/v1/eval --depth_multiplier=0.25 --image_size=128 [--quantize]

The published program of this name, with its flags. eval_image_classifier evaluates any network on
any dataset, by the same parts, and has more to set.
"""

import dataclasses
import math
import os
import sys

if not __package__:  # Run as a file, Python looks for modules beside it instead of in slim/.
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from nets.settings import MobilenetV1Settings
from slim_internal.ground import cli
from slim_internal.ground.cli import config_flags
from slim_internal.ground.settings import setting

FLAGS = cli.FLAGS

_VALIDATION_EXAMPLES = 50_000


@dataclasses.dataclass(frozen=True, kw_only=True)
class Measuring(MobilenetV1Settings, subject="MobileNet v1"):
    """The published flags."""

    checkpoint_dir: str = setting(
        "", "Checkpoint, or folder whose newest checkpoint is used.", required=True, common=True
    )
    dataset_dir: str = setting(
        "", "Folder with the converted ImageNet.", required=True, common=True
    )
    eval_dir: str = setting("", "Folder for the results.", required=True, common=True)
    batch_size: int = setting(250, "Images that go through the network at once.", at_least=1)
    num_examples: int = setting(
        _VALIDATION_EXAMPLES, "Images to evaluate on, in whole batches.", at_least=1
    )


def eval_model() -> None:
    """Evaluates as the flags say and prints the metrics."""
    chosen = config_flags.read(Measuring)
    from nets import mobilenet_v1_variant
    from slim_internal.parts.metrics import terminal
    from slim_internal.programs.evaluation import evaluate
    from slim_internal.programs.evaluation.settings import Evaluation

    num_batches = math.ceil(chosen.num_examples / chosen.batch_size)
    config = Evaluation(
        model_name=mobilenet_v1_variant.enter(chosen.depth_multiplier),
        preprocessing_name="inception",
        dataset_dir=chosen.dataset_dir,
        dataset_split_name="validation",
        labels_offset=mobilenet_v1_variant.labels_offset("imagenet", chosen.num_classes),
        checkpoint_path=chosen.checkpoint_dir,
        eval_dir=chosen.eval_dir,
        eval_image_size=chosen.image_size,
        batch_size=chosen.batch_size,
        max_num_batches=None if chosen.num_examples == _VALIDATION_EXAMPLES else num_batches,
        quantize=chosen.quantize,
        master=chosen.master,
    )
    metrics = evaluate.evaluate(config)
    terminal.Terminal().write(metrics.step, metrics.values)
    print(f"Written to  {config.eval_dir}", flush=True)


@cli.entry()
def main(unused_arg):
    """Evaluates as the flags say and prints the metrics."""
    del unused_arg
    eval_model()


config_flags.define(Measuring)

if __name__ == "__main__":
    cli.run(main)
