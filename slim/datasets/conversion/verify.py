"""Reads a converted dataset again and tells what is damaged: `--verify` of the converters."""

import logging
import os
import pathlib
from collections.abc import Iterator

from datasets.storage import manifest, tfrecords
from slim_internal.ground.errors import UserError
from slim_internal.ground.progress.reporting import ProgressLog

_LOG = logging.getLogger(__name__)


def run(dataset_dir: str | os.PathLike, *, decode: bool = False) -> str:
    """Logs every damaged file, with its first damaged record.

    Args:
      dataset_dir: Folder of the dataset.
      decode: Whether to decode every image with TensorFlow, too.

    Returns:
      That all is well, in words.

    Raises:
      UserError: Files are damaged, or the folder has no manifest.
    """
    faults = 0
    for fault in manifest.verify(dataset_dir, ProgressLog()):
        _LOG.error(fault)
        faults += 1
    if faults:
        raise UserError(
            f"Damaged files: {faults}. Run again without --verify to rebuild only these."
        )
    if not decode:
        return f"All files of {os.fspath(dataset_dir)} are intact."
    for fault in _undecodable(dataset_dir):
        _LOG.error(fault)
        faults += 1
    if faults:
        raise UserError(
            f"Bad records in intact files: {faults}. Remove these files and convert the dataset "
            "again: bad images are found then, and treated as --on_bad_image says."
        )
    return f"All files of {os.fspath(dataset_dir)} are intact, and all images can be decoded."


def _undecodable(dataset_dir: str | os.PathLike) -> Iterator[str]:
    """Yields a sentence for each record that cannot be decoded, or contradicts itself."""
    from datasets import dataset_factory  # Here, because TensorFlow takes seconds to load.
    from datasets.storage import decoding
    from slim_internal.ground.compat import slim

    contents = manifest.read(dataset_dir)
    record = dataset_factory.get_record(contents.dataset)
    decoder = slim.tfexample_decoder.TFExampleDecoder(
        record.keys_to_features, record.items_to_handlers
    )
    for shard in contents.shards:
        path = pathlib.Path(dataset_dir, shard.name)
        try:
            for bad in decoding.bad_records(
                decoder, path, num_classes=contents.num_classes, with_details=True
            ):
                name = f" ({bad.name!r})" if bad.name else ""
                yield f"{path}: record {bad.number}{name}: {bad.fault}"
        except tfrecords.DamagedShardError as error:
            yield str(error)
