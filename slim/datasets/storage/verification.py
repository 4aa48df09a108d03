"""Reads a converted dataset again and tells what is damaged: `--verify` of the converters."""

import logging
import os

from datasets.storage import manifest
from slim_internal.ground.errors import UserError
from slim_internal.ground.progress.reporting import ProgressLog


def run(dataset_dir: str | os.PathLike) -> str:
    """Logs every damaged file, with its first damaged record.

    Args:
      dataset_dir: Folder of the set.

    Returns:
      That all is well, in words.

    Raises:
      UserError: Files are damaged, or the folder has no manifest.
    """
    faults = 0
    for fault in manifest.verify(dataset_dir, ProgressLog()):
        logging.getLogger(__name__).error(fault)
        faults += 1
    if faults:
        raise UserError(
            f"Damaged files: {faults}. The same command without --verify rebuilds exactly these."
        )
    return f"All files of {os.fspath(dataset_dir)} are intact."
