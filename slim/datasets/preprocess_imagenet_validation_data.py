"""Sorts the validation images of ImageNet, which lie in one folder, into one folder per synset.

    python -m datasets.preprocess_imagenet_validation_data VALIDATION_DIR LABELS_FILE

Line i of the labels file is the synset of `ILSVRC2012_val_<i>.JPEG`, where i has eight digits. A
run that was stopped is completed by the next one.
"""

import os
import pathlib
import sys
from collections.abc import Sequence

if not __package__:  # Run as a file, Python looks for modules beside it instead of in slim/.
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from datasets import imagenet_classes
from slim_internal.ground import cli
from slim_internal.ground.errors import UserError


def sort_into_folders(directory: str | os.PathLike, synsets: Sequence[str]) -> int:
    """Moves each image into the folder of its synset, unless it is there already.

    Args:
      directory: Folder of the images.
      synsets: The synset of each image, in the order of their numbers.

    Returns:
      The number of images that were moved.

    Raises:
      UserError: if an image is missing; then nothing has been moved.
    """
    moves = []
    for number, synset in enumerate(synsets, start=1):
        name = f"ILSVRC2012_val_{number:08d}.JPEG"
        source = pathlib.Path(directory, name)
        target = pathlib.Path(directory, synset, name)
        if source.exists():
            moves.append((source, target))
        elif not target.exists():
            raise UserError(f"{source} is missing, which is to be moved into the folder {synset}.")
    for synset in set(synsets):
        pathlib.Path(directory, synset).mkdir(exist_ok=True)
    for source, target in moves:
        os.replace(source, target)
    return len(moves)


def main(arguments):
    """Sorts the folder that is named by the file that is named."""
    if len(arguments) != 2:
        print("Usage: preprocess_imagenet_validation_data DIR LABELS_FILE", file=sys.stderr)
        return -1
    directory, labels_file = arguments
    try:
        synsets = imagenet_classes.read_synsets(labels_file)
        moved = sort_into_folders(directory, synsets)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return -1
    print(f"Moved {moved} of {len(synsets)} images into {len(set(synsets))} folders.")
    return 0


if __name__ == "__main__":
    cli.run(main, max_arguments=sys.maxsize, tensorflow=False)  # `main` counts them.
