"""Classifies image files.

    python classify_image.py --graph=/tmp/lenet.pb digit.png
    python classify_image.py --model_name=lenet --checkpoint_path=/tmp/lenet \\
        --dataset_name=mnist --format=csv --output_file=answers.csv images/*.png
"""

import pathlib

from slim_internal.ground import cli
from slim_internal.ground.cli import config_flags
from slim_internal.ground.errors import UserError
from slim_internal.ground.files import atomic
from slim_internal.programs.classification.settings import Classification

FLAGS = cli.FLAGS

_MAX_IMAGES = 100_000


@cli.entry(max_arguments=_MAX_IMAGES)
def main(paths):
    """Classifies the image files named on the command line."""
    from slim_internal.programs.classification import classifier, report

    config = config_flags.read(Classification)
    if not paths:
        raise UserError("Name the image files after the flags: classify_image --graph=... cat.jpg")
    if config.output_file:  # A folder that cannot be made is told before the work, not after.
        pathlib.Path(config.output_file).parent.mkdir(parents=True, exist_ok=True)
    with classifier.open_classifier(config) as opened:
        answers = list(opened.classify(paths, top_k=config.top_k, batch_size=config.batch_size))
    text = report.FORMATS[config.format](answers)
    if config.output_file:
        atomic.write_output(config.output_file, text)
    else:
        print(text, end="")


config_flags.define(Classification)

if __name__ == "__main__":
    cli.run(main)
