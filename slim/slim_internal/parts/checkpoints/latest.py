"""Finds the newest checkpoint that can be read to its end.

The files themselves are looked at, not the `checkpoint` file that TensorFlow keeps beside them, so
that an empty, stale or missing one does no harm.
"""

import logging
import os
import re

from slim_internal.ground.compat import paths, tf
from slim_internal.ground.errors import UserError
from slim_internal.parts.checkpoints import published

# Where training keeps the best checkpoint of a run, below its own folder.
BEST_FOLDER = "best"

_LOG = logging.getLogger(__name__)

# model.ckpt-120.index of today, or the single file model.ckpt-120 of the first TensorFlow.
_CHECKPOINT_FILE = re.compile(r"(?P<prefix>.+)\.index|.+\.ckpt(-\d+)?")

# What reading a damaged checkpoint may end in.
READ_ERRORS = (tf.errors.OpError, IndexError, RuntimeError, ValueError)


def step_of(checkpoint_path: str) -> int:
    """Returns the step in a checkpoint's name, or -1 if it has none."""
    match = re.search(r"-(\d+)$", checkpoint_path)
    return int(match.group(1)) if match else -1


def list_checkpoints(directory: str) -> list[str]:
    """Returns the checkpoints of a folder, whole or not, the newest (highest step) first."""
    if not tf.io.gfile.isdir(directory):
        return []
    matches = filter(None, map(_CHECKPOINT_FILE.fullmatch, tf.io.gfile.listdir(directory)))
    names = {match["prefix"] or match[0] for match in matches}
    paths = [os.path.join(directory, name) for name in names]
    return sorted(paths, key=lambda path: (step_of(path), path), reverse=True)


def reader(checkpoint_path: str) -> tf.train.NewCheckpointReader:
    """Returns TensorFlow's reader of a checkpoint, whatever characters its path has."""
    return tf.train.NewCheckpointReader(paths.literal_checkpoint(checkpoint_path))


def damage(checkpoint_path: str) -> str | None:
    """Returns what is wrong with a checkpoint, or None; reads all of it."""
    try:
        found = reader(checkpoint_path)
        for name in found.get_variable_to_shape_map():
            found.get_tensor(name)  # Compares the checksum of what it reads.
    except READ_ERRORS as error:
        return str(error).splitlines()[0]
    return None


def newest_good(directory: str) -> str | None:
    """Returns the newest checkpoint of a folder that is whole, or None if there is none.

    Each damaged one that is passed over is named in a warning.
    """
    for path in list_checkpoints(directory):
        problem = damage(path)
        if problem is None:
            return path
        _LOG.warning("Checkpoint %s is damaged and not used: %s", path, problem)
    return None


def find(checkpoint_path: str) -> str:
    """Returns the checkpoint that `--checkpoint_path` means: itself, or the newest in a folder.

    Args:
      checkpoint_path: A folder, or the name that a checkpoint's files have in common
        (`…/model.ckpt-120`); one of these files will do. Where no such files exist, the name of
        published weights ("inception_v3").

    Raises:
      UserError: If there is no checkpoint.
    """
    if tf.io.gfile.isdir(checkpoint_path):
        path = newest_good(checkpoint_path)
        if path is None:
            raise UserError(f"No usable checkpoint in folder {checkpoint_path!r}.")
        return path
    path = re.sub(r"\.(index|meta|data-\d+-of-\d+)$", "", checkpoint_path)
    if not tf.train.checkpoint_exists(paths.literal_checkpoint(path)):
        if path in published.names():
            return published.locate(path)
        folder = os.path.dirname(path) or "."
        present = ", ".join(map(os.path.basename, list_checkpoints(folder))) or "none"
        raise UserError(f"No checkpoint {path!r}. Checkpoints in {folder!r}: {present}.")
    return path
