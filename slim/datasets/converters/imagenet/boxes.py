"""Reads the archive of annotations into the lines of the bounding-box CSV file."""

import io
import os
import pathlib
from collections.abc import Collection

from datasets import process_bounding_boxes
from datasets.converters.imagenet import compressed_tar
from slim_internal.ground import errors

# Annotations are some hundred bytes; what claims to be larger is none.
_MAX_BYTES = 1 << 20


def archive_csv(path: str | os.PathLike, synsets: Collection[str]) -> str:
    """Returns the CSV text of all boxes that show one of the synsets, sorted by image.

    Args:
      path: `ILSVRC2012_bbox_train_v2.tar.gz`, with annotations at `.../<synset>/<image>.xml`.
      synsets: The WordNet ids of the challenge.

    Raises:
      UserError: if the archive or one of its annotations cannot be read.
    """
    selection = process_bounding_boxes.Selection(synsets)

    def wanted(name: str) -> bool:
        place = pathlib.PurePosixPath(name)
        return place.suffix == ".xml" and selection.wants(place.parent.name)

    images = []
    for name, text in compressed_tar.read(path, wanted, max_bytes=_MAX_BYTES):
        place = pathlib.PurePosixPath(name)
        annotation = io.BytesIO(text)
        annotation.name = f"{path}: {name}"  # For the message if it is faulty.
        found = process_bounding_boxes.ProcessXMLAnnotation(annotation)
        kept = selection.choose(place.parent.name, found)
        images.append([process_bounding_boxes.csv_line(place.stem, box) for box in kept])
    if not selection.files:
        raise errors.UserError(f"{path} holds no annotations (.xml files).")
    # Boxes of one image keep their order.
    return "".join(f"{line}\n" for lines in sorted(filter(None, images)) for line in lines)
