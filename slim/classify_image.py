"""Classifies image files.

    python classify_image.py --graph=/tmp/lenet.pb digit.png
    python classify_image.py --model_name=lenet --checkpoint_path=/tmp/lenet \\
        --dataset_name=mnist --format=csv --output_file=answers.csv images/*.png
    python classify_image.py --graph=/tmp/lenet.pb images/ 'more/**/*.jpg'
    find . -name '*.png' | python classify_image.py --graph=/tmp/lenet.pb -
    python classify_image.py --graph=/tmp/lenet.pb --page=answers.html --grad_cam images/
    python classify_image.py --graph=/tmp/lenet.pb --end_point=fc3 --output_file=fc3.npy images/

Folders are searched at any depth; `-` reads an image, or names of files one a line, from standard
input. An image that cannot be used is reported and left out; the exit code is then 1.
"""

import logging

from slim_internal.ground import cli
from slim_internal.ground.cli import config_flags
from slim_internal.ground.errors import UserError
from slim_internal.programs.classification.settings import Classification

FLAGS = cli.FLAGS

_LOG = logging.getLogger(__name__)

_MAX_IMAGES = 100_000
_MAX_ERRORS = 100  # Shown.


@cli.entry(max_arguments=_MAX_IMAGES)
def main(paths):
    """Classifies the image files named on the command line."""
    from slim_internal.programs.classification import classifier, files, writing

    config = config_flags.read(Classification)
    if not paths:
        raise UserError("Name the image files after the flags: classify_image --graph=... cat.jpg")
    writing.require_consistent(config)
    errors, text = [], ""
    images = files.find(paths, errors.append)
    given = len(images) + len(errors)
    with classifier.open_classifier(config) as opened:
        if config.end_point:
            writing.write_features(config, opened, images, errors)
        else:
            text = writing.write_answers(config, opened, images, errors)
    for error in errors[:_MAX_ERRORS]:
        _LOG.error("%s", error)
    print(text, end="")
    if errors:
        done = "all others are done" if len(errors) < given else "there is no answer"
        raise UserError(f"{len(errors)} of {given} images cannot be used; {done}.")


config_flags.define(Classification)

if __name__ == "__main__":
    cli.run(main)
