"""What converters share: features of tf.train.Example, label files, sharded output, downloads."""

import contextlib
import os
import tempfile
import urllib.parse
from collections.abc import Sequence

from datasets.conversion.plan import shard_names
from datasets.storage import tfrecords
from datasets.storage.labels import (  # noqa: F401  # Names of this module's published interface.
    LABELS_FILENAME,
    has_labels,
    read_label_file,
    write_label_file,
)
from slim_internal.ground.compat import tf
from slim_internal.ground.downloads import download, unpacking
from slim_internal.ground.downloads.remote_file import RemoteFile

# No dataset of the original comes near these: archives beyond them are refused.
_MAX_MEMBERS = 1_000_000
_MAX_BYTES = 100 * 10**9


def _as_list(values) -> list:
    return list(values) if isinstance(values, tuple | list) else [values]


def int64_feature(values: int | Sequence[int]) -> tf.train.Feature:
    """Returns a feature of one integer or of several."""
    return tf.train.Feature(int64_list=tf.train.Int64List(value=_as_list(values)))


def float_feature(values: float | Sequence[float]) -> tf.train.Feature:
    """Returns a feature of one float or of several."""
    return tf.train.Feature(float_list=tf.train.FloatList(value=_as_list(values)))


def float_list_feature(values: Sequence[float]) -> tf.train.Feature:
    """Returns a feature of several floats; a single float is a TypeError."""
    return tf.train.Feature(float_list=tf.train.FloatList(value=values))


def bytes_feature(values: bytes) -> tf.train.Feature:
    """Returns a feature of one byte string."""
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[values]))


def bytes_list_feature(values: Sequence[bytes]) -> tf.train.Feature:
    """Returns a feature of several byte strings."""
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))


def image_to_tfexample(
    image_data: bytes, image_format: bytes, height: int, width: int, class_id: int
) -> tf.train.Example:
    """Returns the example of a labelled image that every descriptor here can read.

    Args:
      image_data: The encoded image.
      image_format: b"png" or b"jpg".
      height: Height in pixels.
      width: Width in pixels.
      class_id: Its label.
    """
    features = {
        "image/encoded": bytes_feature(image_data),
        "image/format": bytes_feature(image_format),
        "image/class/label": int64_feature(class_id),
        "image/height": int64_feature(height),
        "image/width": int64_feature(width),
    }
    return tf.train.Example(features=tf.train.Features(feature=features))


def open_sharded_output_tfrecords(
    exit_stack: contextlib.ExitStack, base_path: str, num_shards: int
) -> list[tfrecords.ShardWriter]:
    """Opens all shards of a set; they appear when the stack closes without an error.

    Args:
      exit_stack: What closes them.
      base_path: Path that the names begin with: `<base_path>-00000-of-00010`.
      num_shards: How many to open.
    """
    return [
        exit_stack.enter_context(tfrecords.ShardWriter(path))
        for path in shard_names(f"{base_path}-%05d-of-%05d", num_shards)
    ]


def download_url(url: str, dataset_dir: str | os.PathLike) -> str:
    """Downloads a file into a folder unless it is there, and returns its path."""
    name = os.path.basename(urllib.parse.urlsplit(url).path)
    return os.fspath(download.fetch(RemoteFile(name=name, urls=(url,)), dataset_dir))


def download_and_uncompress_tarball(tarball_url: str, dataset_dir: str | os.PathLike) -> None:
    """Downloads a tar archive, compressed or not, into a folder and unpacks it there."""
    _download_and_unpack(tarball_url, dataset_dir)


def download_and_uncompress_zipfile(zip_url: str, dataset_dir: str | os.PathLike) -> None:
    """Downloads a zip archive into a folder and unpacks it there."""
    _download_and_unpack(zip_url, dataset_dir)


def _download_and_unpack(url: str, dataset_dir: str | os.PathLike) -> None:
    archive = download_url(url, dataset_dir)
    # An archive is unpacked into a folder of its own; only when it is whole does it mix with what
    # is there.
    with tempfile.TemporaryDirectory(dir=dataset_dir, prefix=".unpacked-") as folder:
        unpacking.extract(archive, folder, max_members=_MAX_MEMBERS, max_bytes=_MAX_BYTES)
        for place, _, names in os.walk(folder):
            target = os.path.join(dataset_dir, os.path.relpath(place, folder))
            os.makedirs(target, exist_ok=True)
            for name in names:
                os.replace(os.path.join(place, name), os.path.join(target, name))
