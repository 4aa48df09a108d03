"""Reads the archive of annotations into the lines of the bounding-box CSV file."""

import io
import os
import pathlib
import tarfile
from collections.abc import Collection

import errors
from datasets import process_bounding_boxes

# Annotations are some hundred bytes; what claims to be larger is none.
_MAX_BYTES = 1 << 20


def archive_csv(path: str | os.PathLike, synsets: Collection[str]) -> str:
    """Returns the CSV text of all boxes that show one of the synsets, sorted by picture.

    Args:
      path: `ILSVRC2012_bbox_train_v2.tar.gz`, with annotations at `.../<synset>/<picture>.xml`.
      synsets: The WordNet ids of the challenge.

    Raises:
      UserError: if the archive or one of its annotations cannot be read.
    """
    selection = process_bounding_boxes.Selection(synsets)
    lines = []
    try:
        with tarfile.open(path, "r|gz") as archive:
            for member in archive:
                place = pathlib.PurePosixPath(member.name)
                if not member.isreg() or place.suffix != ".xml":
                    continue
                if not selection.wants(place.parent.name):
                    continue
                if member.size > _MAX_BYTES:
                    raise errors.UserError(f"{member.name} in {path} is too large.")
                annotation = io.BytesIO(archive.extractfile(member).read())
                annotation.name = f"{path}: {member.name}"
                found = process_bounding_boxes.ProcessXMLAnnotation(annotation)
                kept = selection.choose(place.parent.name, found)
                lines.append([process_bounding_boxes.csv_line(place.stem, box) for box in kept])
    except (tarfile.TarError, EOFError, OSError) as error:
        raise errors.UserError(f"{path} cannot be read to its end: {error}.") from error
    if not selection.files:
        raise errors.UserError(f"{path} holds no annotations (.xml files).")
    # Boxes of one picture keep their order.
    return "".join(f"{line}\n" for picture in sorted(filter(None, lines)) for line in picture)
