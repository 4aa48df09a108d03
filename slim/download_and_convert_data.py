"""Downloads a data set and converts it to TFRecord files that the other programs read.

    python download_and_convert_data.py --dataset_name=flowers --dataset_dir=/data/flowers
    python download_and_convert_data.py --dataset_name=image_folder --source=/my/pictures \\
        --dataset_dir=/data/mine

A run that was stopped continues where it was; a complete data set is left as it is.
"""

import logging

import cli
from cli import config_flags
from datasets.conversion_options import Conversion


def main(_):
    """Converts the data set that the flags name."""
    from datasets import conversion, progress
    from downloads.status import StatusLine

    config = config_flags.read(Conversion)
    outcome = conversion.convert(
        config, progress=progress.ProgressLog(), download_progress=StatusLine()
    )
    logging.info(outcome.summary(config.dataset_dir))


if __name__ == "__main__":
    config_flags.define(Conversion)
    cli.run(main)
