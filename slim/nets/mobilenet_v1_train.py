"""Trains MobileNet v1 of any width on ImageNet, as floats or in 8-bit arithmetic.

    python nets/mobilenet_v1_train.py --dataset_dir=/data/imagenet --checkpoint_dir=/runs/v1 \\
        --depth_multiplier=0.25 --image_size=128

    python nets/mobilenet_v1_train.py --dataset_dir=/data/imagenet --checkpoint_dir=/runs/v1_8 \\
        --depth_multiplier=0.25 --image_size=128 --quantize --fine_tune_checkpoint=/runs/v1

The published program of this name, with its flags. train_image_classifier trains any network on any
dataset, by the same parts, and has more to set. With --quantize a run from random weights simulates
8-bit arithmetic from step 250,000 on, one that starts from --fine_tune_checkpoint at once.
"""

import dataclasses
import os
import sys

if not __package__:  # Run as a file, Python looks for modules beside it instead of in slim/.
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from nets.settings import MobilenetV1Settings
from slim_internal.ground import cli
from slim_internal.ground.cli import config_flags
from slim_internal.ground.settings import setting

FLAGS = cli.FLAGS

_LEARNING_RATE_DECAY_FACTOR = 0.94
_EPOCHS_PER_DECAY = 2.5
# Step at which training from scratch has become stable enough for rounding.
_QUANT_DELAY = 250_000


@dataclasses.dataclass(frozen=True, kw_only=True)
class Training(MobilenetV1Settings, subject="MobileNet v1"):
    """The published flags."""

    checkpoint_dir: str = setting(
        "", "Folder for checkpoints and summaries.", required=True, common=True
    )
    dataset_dir: str = setting(
        "", "Folder with the converted ImageNet.", required=True, common=True
    )
    fine_tune_checkpoint: str = setting(
        "", "Checkpoint, or folder whose newest checkpoint is used, to start from.", common=True
    )
    batch_size: int = setting(64, "Images in each step.", at_least=1)
    number_of_steps: int | None = setting(
        None, "Global step at which to stop; none unless given.", at_least=1, common=True
    )
    log_every_n_steps: int = setting(100, "Steps between two progress lines.", at_least=1)
    save_interval_secs: int = setting(100, "Seconds between two checkpoints.", at_least=1)
    save_summaries_secs: int = setting(100, "Seconds between two summaries.", at_least=0)
    ps_tasks: int = setting(0, "Number of parameter servers.", at_least=0)
    task: int = setting(0, "Number of this worker.", at_least=0)


def get_learning_rate() -> float:
    """Returns the initial learning rate: lower where training starts from a checkpoint."""
    return 1e-4 if FLAGS.fine_tune_checkpoint else 0.045


def get_quant_delay() -> int:
    """Returns the step from which on 8-bit arithmetic is simulated."""
    return 0 if FLAGS.fine_tune_checkpoint else _QUANT_DELAY


def train_model() -> int:
    """Trains as the flags say and returns the exit code."""
    chosen = config_flags.read(Training)
    from nets import mobilenet_v1_variant
    from slim_internal.programs.training import train
    from slim_internal.programs.training.settings import TrainConfig

    config = TrainConfig(
        model_name=mobilenet_v1_variant.enter(chosen.depth_multiplier),
        preprocessing_name="inception",
        dataset_dir=chosen.dataset_dir,
        labels_offset=mobilenet_v1_variant.labels_offset("imagenet", chosen.num_classes),
        train_dir=chosen.checkpoint_dir,
        train_image_size=chosen.image_size,
        checkpoint_path=chosen.fine_tune_checkpoint or None,
        optimizer="sgd",
        learning_rate=get_learning_rate(),
        learning_rate_decay_factor=_LEARNING_RATE_DECAY_FACTOR,
        num_epochs_per_decay=_EPOCHS_PER_DECAY,
        batch_size=chosen.batch_size,
        max_number_of_steps=chosen.number_of_steps,
        quantize_delay=get_quant_delay() if chosen.quantize else -1,
        log_every_n_steps=chosen.log_every_n_steps,
        save_interval_secs=chosen.save_interval_secs,
        save_summaries_secs=chosen.save_summaries_secs,
        master=chosen.master,
        num_ps_tasks=chosen.ps_tasks,
        task=chosen.task,
    )
    return train.train(config).exit_code


@cli.entry()
def main(unused_arg):
    """Trains as the flags say and returns the exit code."""
    del unused_arg
    return train_model()


config_flags.define(Training)

if __name__ == "__main__":
    cli.run(main)
