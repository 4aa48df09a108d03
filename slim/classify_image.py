"""Classifies image files.

    python classify_image.py --graph=/tmp/lenet.pb digit.png
    python classify_image.py --model_name=lenet --checkpoint_path=/tmp/lenet \\
        --dataset_name=mnist --format=csv --output_file=answers.csv images/*.png
    python classify_image.py --graph=/tmp/lenet.pb images/ 'more/**/*.jpg'
    find . -name '*.png' | python classify_image.py --graph=/tmp/lenet.pb -

Folders are searched at any depth; `-` reads an image, or names of files one a line, from standard
input. An image that cannot be used is reported and left out; the exit code is then 1.
"""

import logging
import pathlib

from slim_internal.ground import cli
from slim_internal.ground.cli import config_flags
from slim_internal.ground.errors import UserError
from slim_internal.ground.files import atomic
from slim_internal.programs.classification.settings import Classification

FLAGS = cli.FLAGS

_LOG = logging.getLogger(__name__)

_MAX_IMAGES = 100_000
_MAX_ERRORS = 100  # Shown.


@cli.entry(max_arguments=_MAX_IMAGES)
def main(paths):
    """Classifies the image files named on the command line."""
    from slim_internal.programs.classification import classifier, files, report

    config = config_flags.read(Classification)
    if not paths:
        raise UserError("Name the image files after the flags: classify_image --graph=... cat.jpg")
    if config.output_file:  # A folder that cannot be made is told before the work, not after.
        pathlib.Path(config.output_file).parent.mkdir(parents=True, exist_ok=True)
    images = files.find(paths)
    errors = []
    with classifier.open_classifier(config) as opened:
        answers = list(
            opened.classify(
                images, top_k=config.top_k, batch_size=config.batch_size, on_error=errors.append
            )
        )
    for error in errors[:_MAX_ERRORS]:
        _LOG.error("%s", error)
    text = report.FORMATS[config.format](answers)
    if config.output_file:
        atomic.write_output(config.output_file, text)
    else:
        print(text, end="")
    if errors:
        raise UserError(
            f"{len(errors)} of {len(images)} images cannot be used; all others are done."
        )


config_flags.define(Classification)

if __name__ == "__main__":
    cli.run(main)
