"""The file of features that a run keeps: arrays of NumPy, and what they follow from."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from slim_internal.ground.files import atomic, json_objects

_KEY_FILENAME = "key.json"  # Written last: a folder without it is unfinished.
_LABELS_FILENAME = "labels.npy"


def digest(arrays: Iterable[np.ndarray]) -> str:
    """Returns a digest of the contents of arrays."""
    sha = hashlib.sha256()
    for array in arrays:
        sha.update(np.ascontiguousarray(array).tobytes())
    return sha.hexdigest()


class FeatureFile:
    """Features and labels of numbered examples, in one folder.

    Args:
      folder: The folder; it is made when there is something to keep.
    """

    def __init__(self, folder: str):
        self.folder = folder
        self._features: list[np.ndarray] = []
        self._labels = np.zeros(0, np.int64)

    def open(self, key: Mapping[str, Any]) -> bool:
        """Opens what is kept for this key; returns whether there is anything."""
        try:
            kept = json_objects.read(os.path.join(self.folder, _KEY_FILENAME))
            if kept != json.loads(json.dumps(key)):
                return False
            names = sorted(name for name in os.listdir(self.folder) if name.startswith("features"))
            self._features = [self._array(name) for name in names]
            self._labels = self._array(_LABELS_FILENAME)
        except (OSError, ValueError):
            return False
        return True

    def create(self, shapes: Sequence[Sequence[int]], num_examples: int) -> None:
        """Begins anew.

        Args:
          shapes: Shape of each of the features of one example.
          num_examples: Number of examples.
        """
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)
        self._features = [
            self._array(f"features-{number:02}.npy", (num_examples, *shape), np.float32)
            for number, shape in enumerate(shapes)
        ]
        self._labels = self._array(_LABELS_FILENAME, (num_examples,), np.int64)

    def put(self, start: int, features: Sequence[np.ndarray], labels: np.ndarray) -> None:
        """Keeps the features and labels of the examples from a number on."""
        end = start + len(labels)
        for array, values in zip(self._features, features, strict=True):
            array[start:end] = values
        self._labels[start:end] = labels

    def finish(self, key: Mapping[str, Any]) -> None:
        """Writes what the features follow from; they are complete with it."""
        for array in (*self._features, self._labels):
            array.flush()
        atomic.write_json(os.path.join(self.folder, _KEY_FILENAME), key)

    def take(self, numbers: np.ndarray) -> list[np.ndarray]:
        """Returns the features of some examples, and last their labels."""
        return [array[numbers] for array in (*self._features, self._labels)]

    def _array(self, name, shape=None, dtype=None):
        mode = "r" if shape is None else "w+"
        return np.lib.format.open_memmap(
            os.path.join(self.folder, name), mode=mode, shape=shape, dtype=dtype
        )
