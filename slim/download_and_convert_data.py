"""Downloads a dataset and converts it to TFRecord files that the other programs read.

    python download_and_convert_data.py --dataset_name=flowers --dataset_dir=/data/flowers
    python download_and_convert_data.py --dataset_name=image_folder --source=/my/images \\
        --dataset_dir=/data/mine

A run that was stopped continues where it was; a complete dataset is left as it is.

    python download_and_convert_data.py --verify --dataset_dir=/data/flowers

reads the converted files again and names the damaged ones. Run again without --verify to rebuild
only these.
"""

import logging

from absl import flags

from datasets.conversion.settings import Conversion, Verification
from slim_internal.ground import cli
from slim_internal.ground.cli import config_flags

FLAGS = cli.FLAGS


@cli.entry()
def main(_):
    """Converts or verifies the dataset that the flags name."""
    from datasets.conversion import convert, verify
    from slim_internal.ground.progress.reporting import ProgressLog, StatusLine

    if flags.FLAGS.verify:
        chosen = config_flags.read(Verification)
        print(verify.run(chosen.dataset_dir, decode=chosen.verify == "decode"))
        return
    config = config_flags.read(Conversion)
    outcome = convert.convert(config, progress=ProgressLog(), download_progress=StatusLine())
    logging.info(outcome.summary(config.dataset_dir))


config_flags.define(Conversion)
config_flags.define(Verification)

if __name__ == "__main__":
    cli.run(main)
