"""Folders of images for tests, and what a conversion makes of them."""

import os
import pathlib

import numpy as np

from datasets.conversion import convert as conversion
from datasets.conversion.settings import Conversion
from datasets.storage import tfrecords
from slim_internal.ground.compat import tf
from tests.datasets import fake_data

PICTURE = fake_data.encoded(fake_data.picture(np.random.RandomState(0), 8, 8))


def put(folder: pathlib.Path, *paths: str) -> pathlib.Path:
    """Puts the same picture at each path."""
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(PICTURE)
    return folder


def convert(folder: pathlib.Path, **options):
    """Converts the folder `source` of a folder to its folder `set`."""
    given = {"source": os.fspath(folder / "source"), "dataset_dir": os.fspath(folder / "set")}
    return conversion.convert(Conversion(dataset_name="image_folder", **(given | options)))


def assignments(folder: pathlib.Path) -> dict[str, tuple[str, int]]:
    """Returns path -> (split, label) of every record."""
    found = {}
    for path in sorted((folder / "set").glob("*.tfrecord")):
        for record in tfrecords.read_records(path):
            features = tf.train.Example.FromString(record).features.feature
            name = os.fsdecode(features["image/filename"].bytes_list.value[0])
            label = features["image/class/label"].int64_list.value[0]
            found[name] = (path.name.split("_")[2], label)
    return found
