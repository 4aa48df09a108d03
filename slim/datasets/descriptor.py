"""How a converted dataset is read: the one body behind every `get_split`."""

import logging
import os
import pathlib
import time
from collections.abc import Sequence
from concurrent import futures

from datasets import dataset_utils
from datasets.record import DatasetRecord
from datasets.storage import journal, manifest, series, tfrecords
from slim_internal.ground.compat import paths, slim, tf
from slim_internal.ground.errors import UserError, unknown

_SECONDS_FOR_FRAMING = 60

_CONVERT = "Convert it: download_and_convert_data.py --dataset_name={} --dataset_dir={}"


def image_features(*, image_format: str, label_shape: Sequence[int] = ()) -> dict:
    """Returns the parsing configuration of a labelled image.

    The label has no default: a record without one is an error when it is read, not an example of
    the first class.

    Args:
      image_format: What the image is taken to be where `image/format` is not stored.
      label_shape: Shape of `image/class/label`.
    """
    return {
        "image/encoded": tf.FixedLenFeature((), tf.string, default_value=""),
        "image/format": tf.FixedLenFeature((), tf.string, default_value=image_format),
        "image/class/label": tf.FixedLenFeature(label_shape, tf.int64),
    }


def box_features() -> dict:
    """Returns the parsing configuration of the corners of any number of boxes, 0..1."""
    sides = ("xmin", "ymin", "xmax", "ymax")
    return {f"image/object/bbox/{side}": tf.VarLenFeature(tf.float32) for side in sides}


def box_handler() -> slim.tfexample_decoder.ItemHandler:
    """Returns the handler that makes `[boxes, 4]` (ymin, xmin, ymax, xmax) of `box_features`."""
    sides = ["ymin", "xmin", "ymax", "xmax"]
    return slim.tfexample_decoder.BoundingBox(sides, "image/object/bbox/")


def get_split(
    record: DatasetRecord,
    split_name: str,
    dataset_dir: str,
    file_pattern: str | None = None,
    reader: type | None = None,
) -> slim.dataset.Dataset:
    """Describes one split so that `slim.dataset_data_provider` can read it.

    A manifest beside the files tells how many examples and classes they hold, and `has_manifest`
    of the result that there is one; without one the examples are counted, and the classes are
    taken to be the published ones.

    Args:
      record: The dataset.
      split_name: One of its splits.
      dataset_dir: Folder with the converted files.
      file_pattern: Pattern of the files instead of the record's; `%s` stands for the split.
      reader: Class of the TensorFlow reader; TFRecord by default.

    Raises:
      UserError: The split is unknown, the conversion has not ended, or the files are not those
        of the manifest.
    """
    contents = _contents(record, dataset_dir)
    splits = contents.splits if contents else record.splits
    if split_name not in splits:
        raise unknown(f"split of {record.name}", split_name, splits)
    if contents and file_pattern is None:
        manifest.check(dataset_dir, contents, split_name)
    pattern = file_pattern or record.file_pattern
    labels_to_names = None
    if dataset_utils.has_labels(dataset_dir):
        labels_to_names = dataset_utils.read_label_file(dataset_dir)
    elif contents:
        labels_to_names = dict(enumerate(contents.class_names))
    sources = os.path.join(
        paths.literal_pattern(dataset_dir),
        pattern % split_name if "%s" in pattern else pattern,
    )
    num_samples = splits[split_name]
    if (contents is None or file_pattern) and reader in (None, tf.TFRecordReader):
        files = tf.gfile.Glob(sources)
        num_samples = _count(files) or num_samples
        for remark in series.remarks(files) if file_pattern is None else ():
            logging.getLogger(__name__).warning("%s: %s", dataset_dir, remark)
    if contents is None and file_pattern is None and num_samples != splits[split_name]:
        logging.getLogger(__name__).warning(
            "%s holds %s examples of the split %s; the published %s has %s.",
            *(dataset_dir, f"{num_samples:,}", split_name, record.name),
            f"{splits[split_name]:,}",
        )
    return slim.dataset.Dataset(
        data_sources=sources,
        reader=reader or tf.TFRecordReader,
        decoder=slim.tfexample_decoder.TFExampleDecoder(
            record.keys_to_features, record.items_to_handlers
        ),
        num_samples=num_samples,
        items_to_descriptions=record.items_to_descriptions,
        num_classes=contents.num_classes if contents else record.num_classes,
        labels_to_names=labels_to_names,
        has_manifest=contents is not None,
    )


def split_names(record: DatasetRecord, dataset_dir: str) -> tuple[str, ...]:
    """Returns the splits that the folder of a converted dataset holds, or those as published.

    Raises:
      UserError: The folder does not hold the dataset.
    """
    contents = _contents(record, dataset_dir)
    return tuple(contents.splits if contents else record.splits)


def _count(files: Sequence[str]) -> int | None:
    """Requires that every file is a sequence of whole records, where no manifest vouches for them.

    Reading the lengths alone takes seconds even for ImageNet, unless the disk is slow; then what
    could not be checked in time is left to TensorFlow.

    Returns:
      How many records they hold; None where that is not known.

    Raises:
      UserError: One is not; the message names file and record.
    """
    local = sorted(file for file in files if os.path.lexists(file))
    deadline = time.monotonic() + _SECONDS_FOR_FRAMING

    def check(file: str) -> int | None:
        return tfrecords.check_framing(file) if time.monotonic() < deadline else None

    with futures.ThreadPoolExecutor() as pool:
        counts = [count for count in pool.map(check, local) if count is not None]
    if len(counts) < len(local):
        logging.getLogger(__name__).warning(
            "Checked that %d of %d files hold whole records; the disk was too slow for the others.",
            len(counts),
            len(local),
        )
    return sum(counts) if len(counts) == len(files) else None


def _contents(record: DatasetRecord, dataset_dir: str) -> manifest.Manifest | None:
    """Returns the manifest of the folder, after judging whether the record can read it."""
    convert = _CONVERT.format(record.name, dataset_dir)
    contents = manifest.read(dataset_dir)
    if contents:
        if contents.dataset != record.name:
            raise UserError(f"{dataset_dir} holds {contents.dataset}, not {record.name}.")
        return contents
    if journal.path(dataset_dir).exists():
        raise UserError(f"The conversion in {dataset_dir} has not ended. {convert}")
    if not record.splits:
        raise UserError(f"{dataset_dir} has no {manifest.FILENAME}: no {record.name}. {convert}")
    if any(pathlib.Path(dataset_dir).glob(record.file_pattern % "*")):
        logging.getLogger(__name__).warning(
            "%s has no %s: its files are taken for those of the published %s, unverified.",
            dataset_dir,
            manifest.FILENAME,
            record.name,
        )
    return None


def data_files(dataset: slim.dataset.Dataset) -> list[str]:
    """Returns the files of a split in order of name.

    Raises:
      UserError: There are none.
    """
    sources = dataset.data_sources
    patterns = [sources] if isinstance(sources, str) else list(sources)
    files = sorted(path for pattern in patterns for path in tf.gfile.Glob(pattern))
    if not files:
        patterns = [paths.meant_by(pattern) for pattern in patterns]
        folder = os.path.dirname(patterns[0])
        there = "holds no such files" if os.path.isdir(folder) else "does not exist"
        raise UserError(
            f"No data to read: {', '.join(patterns)}: {folder} {there}. Check --dataset_dir, or "
            f"convert the dataset into it with download_and_convert_data.py."
        )
    return files
