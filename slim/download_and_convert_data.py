"""Downloads a data set and converts it to TFRecord files that the other programs read.

    python download_and_convert_data.py --dataset_name=flowers --dataset_dir=/data/flowers
    python download_and_convert_data.py --dataset_name=image_folder --source=/my/pictures \\
        --dataset_dir=/data/mine

A run that was stopped continues where it was; a complete data set is left as it is.

    python download_and_convert_data.py --verify --dataset_dir=/data/flowers

reads the converted files again and names the damaged ones; another run with the first flags
rebuilds exactly these.
"""

import logging

from absl import flags

from datasets.conversion.settings import Conversion
from slim_internal.ground import cli
from slim_internal.ground.cli import config_flags
from slim_internal.ground.errors import UserError


def main(_):
    """Converts or verifies the data set that the flags name."""
    from datasets.conversion import convert
    from datasets.storage import verification
    from slim_internal.ground.downloads.status import StatusLine
    from slim_internal.ground.progress import ProgressLog

    config = config_flags.read(Conversion)
    if flags.FLAGS.verify:
        if not config.dataset_dir:
            raise UserError("--dataset_dir is needed.")
        print(verification.run(config.dataset_dir))
        return
    outcome = convert.convert(config, progress=ProgressLog(), download_progress=StatusLine())
    logging.info(outcome.summary(config.dataset_dir))


if __name__ == "__main__":
    config_flags.define(Conversion)
    flags.DEFINE_bool("verify", False, "Check the converted files and convert nothing.")
    cli.run(main)
