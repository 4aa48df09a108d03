"""Trains a network on a converted dataset.

Example:
  python train_image_classifier.py --model_name=lenet --dataset_name=mnist \\
      --dataset_dir=/data/mnist --train_dir=/tmp/lenet --max_number_of_steps=2000

It starts from the newest checkpoint in --train_dir if there is one, else from the weights in
--checkpoint_path, else from random weights. Ctrl-C (or SIGTERM) saves a checkpoint and exits with
130 (143); the same command continues from there.
"""

from collections.abc import Sequence

from slim_internal.ground import cli
from slim_internal.ground.cli import config_flags, leaving
from slim_internal.programs.training.settings import TrainConfig

FLAGS = cli.FLAGS


@cli.entry()
def main(arguments: Sequence[str]) -> int:
    """Trains as the flags say and returns the exit code."""
    del arguments
    config = config_flags.read(TrainConfig)
    from slim_internal.programs.training import (
        train,  # Here, because TensorFlow takes seconds to load.
    )

    code = train.train(config).exit_code
    if code:  # Somebody waits for the end: the system gives back gigabytes faster than TensorFlow.
        leaving.leave_hard()
    return code


config_flags.define(TrainConfig)

if __name__ == "__main__":
    cli.run(main)
