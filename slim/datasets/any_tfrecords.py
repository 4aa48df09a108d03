"""TFRecords of any origin, read without code: `--dataset_name=tfrecords`.

Where the parts of an example stand is said by flags, or by TFDS beside its records. How many
examples there are is found by reading them once; what is no labeled image is refused then, so that
nothing is ever trained on with a label that it does not have.
"""

import dataclasses
import glob
import itertools
import logging
import os

from datasets.settings import TfrecordSettings
from datasets.storage import labels, record_counts, series, tfds, tfrecords
from datasets.storage.layout import HEIGHT, WIDTH, Layout, UnusableExampleError, features_of
from slim_internal.ground.compat import paths, slim, tf
from slim_internal.ground.errors import UserError
from slim_internal.ground.progress import reporting

_LOG = logging.getLogger(__name__)

NAME = "tfrecords"


class NoFilesError(UserError):
    """No file matches the pattern."""


_MAX_SHOWN = 5  # Files, labels in a message.
_KEYS = ("image", "format", "label", "text")
_DESCRIPTIONS = {
    "image": "A color image of varying size.",
    "label": "A single integer, the number of the class from 0",
}


@dataclasses.dataclass(frozen=True)
class Classes:
    """The classes of a dataset.

    Attributes:
      count: How many there are.
      names: Class -> name, as far as they are known.
    """

    count: int
    names: dict[int, str]

    def in_order(self) -> tuple[str, ...]:
        """Returns the name of each class, its number where it has none; nothing without names."""
        return tuple(self.names.get(i, str(i)) for i in range(self.count if self.names else 0))


@dataclasses.dataclass(frozen=True)
class Source:
    """The files of a split and what is known of them before they are read.

    Attributes:
      files: Their paths.
      layout: Where the parts of an example stand.
      classes: The classes; None if only the records may tell.
    """

    files: tuple[str, ...]
    layout: Layout
    classes: Classes | None


def get_split(split_name, dataset_dir, file_pattern=None, reader=None):
    """Describes a split of records whose features have the published names.

    Args:
      split_name: Stands for `%s` in the pattern.
      dataset_dir: Folder that a relative pattern starts from.
      file_pattern: Pattern of the files.
      reader: Class of the TensorFlow reader; TFRecord by default.
    """
    settings = TfrecordSettings(tfrecord_pattern=file_pattern)
    dataset = open_split(settings, split_name, dataset_dir)
    dataset.reader = reader or dataset.reader
    return dataset


def open_split(
    settings: TfrecordSettings, split_name: str, dataset_dir: str | None = None
) -> slim.dataset.Dataset:
    """Describes the files of a split so that `slim.dataset_data_provider` can read them.

    Args:
      settings: Which files, and where the parts of an example stand.
      split_name: Stands for `%s` in the pattern.
      dataset_dir: Folder that a relative pattern starts from.

    Raises:
      UserError: If there are no files, the classes are not known, or a record cannot be used.
    """
    source = find(settings, split_name, dataset_dir)
    counts = record_counts.count(source.files, source.layout, reporting.ProgressLog())
    pattern = settings.tfrecord_pattern
    for remark in series.remarks(source.files):
        _LOG.warning("--tfrecord_pattern=%s: %s", pattern, remark)
    if not counts.records:
        raise UserError(f"The files of --tfrecord_pattern={pattern} hold no record.")
    if len(counts.kinds) > 1:
        raise UserError(
            f"The labels of --tfrecord_pattern={pattern} are of several types:"
            f" {', '.join(sorted(counts.kinds))}. All must be of one."
        )
    classes = _classes(source, counts, settings)
    _LOG.info(
        "Found %s examples of %d classes in %d files.",
        *(f"{counts.records:,}", classes.count, len(source.files)),
    )
    features, handler = _label(source.layout, counts)
    return slim.dataset.Dataset(
        data_sources=[paths.literal_pattern(file) for file in source.files],
        reader=tf.TFRecordReader,
        decoder=slim.tfexample_decoder.TFExampleDecoder(
            {**_image_features(source.layout), **features},
            {"image": _image_handler(source.layout), "label": handler},
        ),
        num_samples=counts.records,
        items_to_descriptions=_DESCRIPTIONS,
        num_classes=classes.count,
        labels_to_names=dict(enumerate(classes.in_order())) or None,
        layout=source.layout,
        odd_details=frozenset(counts.odd_details),
    )


def known_classes(
    settings: TfrecordSettings, dataset_dir: str | None = None
) -> tuple[int, tuple[str, ...]]:
    """Returns how many classes there are and their names, reading records only where it must.

    Raises:
      UserError: If neither the settings nor the files tell.
    """
    classes = _from_settings(settings)
    if settings.tfrecord_pattern and not (classes and classes.names):
        source = find(settings, "train", dataset_dir)
        classes = source.classes
        if classes is None or not classes.names:
            dataset = open_split(settings, "train", dataset_dir)
            names = getattr(dataset, "labels_to_names", None) or {}
            classes = Classes(dataset.num_classes, names)
    if classes is None:
        raise UserError(
            "The classes of --dataset_name=tfrecords are not known: give --tfrecord_labels_file,"
            " --tfrecord_num_classes or --tfrecord_pattern."
        )
    return classes.count, classes.in_order()


def find(settings: TfrecordSettings, split_name: str, dataset_dir: str | None = None) -> Source:
    """Finds the files of a split, and where the parts of their examples stand.

    Raises:
      UserError: If there are none, or the first one has no records that can be used.
    """
    files = _files(settings.tfrecord_pattern, split_name, dataset_dir)
    folder = os.path.dirname(files[0])
    facts = tfds.read(folder) or _tfds_by_its_keys(files)
    given = {key: getattr(settings, f"tfrecord_{key}_key") for key in _KEYS}
    if facts and not (given["image"] or given["label"]):
        _LOG.info("Records of TFDS: image in %r, label in %r.", facts.image, facts.label)
        given |= {"image": facts.image, "label": facts.label}
    layout = Layout(
        **{key: name for key, name in given.items() if name},
        label_offset=settings.tfrecord_label_offset,
        raw_channels=_raw_channels(settings),
    )
    classes = _from_settings(settings)
    if facts and facts.num_classes and classes is None:
        classes = Classes(facts.num_classes, dict(enumerate(facts.class_names)))
    if labels.has_labels(folder) and (classes is None or not classes.names):
        names = labels.read_label_file(folder)
        if names and (classes is None or classes.count == max(names) + 1):
            classes = Classes(max(names) + 1, names)
    if classes:
        layout = dataclasses.replace(
            layout, class_names=classes.in_order(), num_classes=classes.count
        )
    return Source(files, layout, classes)


def _tfds_by_its_keys(files: tuple[str, ...]) -> tfds.Facts | None:
    for file in files:
        for record in itertools.islice(tfrecords.read_records(file), 1):
            try:
                features = features_of(record)
            except UnusableExampleError as error:
                raise UserError(f"{file}: record 0 {error}.") from error
            known = Layout().image in features or not tfds.are_keys(features)
            return None if known else tfds.Facts()
    return None


def _files(pattern: str | None, split_name: str, dataset_dir: str | None) -> tuple[str, ...]:
    if not pattern:
        raise UserError(
            "--tfrecord_pattern is required with --dataset_name=tfrecords: pattern of the files,"
            " such as /data/mine/%s-*.tfrecord, where %s stands for the split."
        )
    path = os.path.join(dataset_dir or "", os.path.expanduser(pattern))
    if os.path.isdir(path):
        raise UserError(
            f"--tfrecord_pattern={pattern} is a folder: name the files in it, such as"
            f" {os.path.join(pattern, '*.tfrecord')}."
        )
    files = _matches(path) or _matches(path.replace("%s", glob.escape(split_name)))
    if not files:
        split = f" (split {split_name})" if "%s" in pattern else ""
        raise NoFilesError(f"No file matches --tfrecord_pattern={pattern}{split}.{_near(path)}")
    return files


def _matches(path: str) -> tuple[str, ...]:
    """Returns the files of a pattern; what exists by the very name that is given means itself."""
    if os.path.isfile(path):
        return (path,)
    parts = path.split(os.sep)
    folders = (os.sep.join(parts[:count]) or os.sep for count in range(len(parts) - 1, 0, -1))
    folder = next((folder for folder in folders if os.path.isdir(folder)), "")
    rest = path.removeprefix(folder).lstrip(os.sep) if folder else path
    found = glob.glob(os.path.join(glob.escape(folder), rest), recursive=True)
    return tuple(sorted(file for file in found if os.path.isfile(file)))


def _near(path: str) -> str:
    folder = os.path.dirname(path) or "."
    if not os.path.isdir(folder):
        return "" if glob.has_magic(folder) else f" The folder {folder} does not exist."
    names = sorted(name for name in os.listdir(folder) if not name.startswith("."))
    shown = ", ".join(names[:_MAX_SHOWN]) + (", ..." if len(names) > _MAX_SHOWN else "")
    return f" {folder} holds {shown or 'nothing'}."


def _from_settings(settings: TfrecordSettings) -> Classes | None:
    path, count = settings.tfrecord_labels_file, settings.tfrecord_num_classes
    if not path:
        return Classes(count, {}) if count else None
    names = labels.read_any_label_file(path)
    offset = settings.tfrecord_label_offset
    if offset and min(names) - offset >= 0:  # Its numbers are those of the records.
        names = {label - offset: name for label, name in names.items()}
    if count and max(names) >= count:
        raise UserError(
            f"--tfrecord_labels_file={path} names {max(names) + 1} classes, but"
            f" --tfrecord_num_classes={count}."
        )
    return Classes(count or max(names) + 1, names)


def _classes(source: Source, counts: record_counts.Counts, settings: TfrecordSettings) -> Classes:
    """Returns the classes, all labels being those of some.

    Raises:
      UserError: If they are not known, or the labels do not fit them.
    """
    pattern = settings.tfrecord_pattern
    offset = source.layout.label_offset
    try:
        by_label = {label: source.layout.class_of(label) for label in counts.labels}
    except UnusableExampleError as error:
        remedy = "" if source.layout.class_names else " List all names in --tfrecord_labels_file."
        raise UserError(f"A record of --tfrecord_pattern={pattern} {error}.{remedy}") from error
    low, high = min(by_label.values()), max(by_label.values())
    if source.classes is None:
        from_1 = (
            f" (--tfrecord_num_classes={high} --tfrecord_label_offset=1 if they are counted from 1)"
        )
        raise UserError(
            f"How many classes --tfrecord_pattern={pattern} has is not known. Its labels are"
            f" {low + offset} to {high + offset}: give --tfrecord_num_classes={high + 1}"
            f"{from_1 if low == 1 else ''}, or --tfrecord_labels_file with the names."
        )
    count, names = source.classes.count, source.classes.names
    if low < 0 or high >= count:
        from_1 = low >= 1 and high == count
        hint = " They seem to be counted from 1: add --tfrecord_label_offset=1." if from_1 else ""
        raise UserError(
            f"The labels of --tfrecord_pattern={pattern} are {low + offset} to {high + offset}, but"
            f" {count} classes have the labels {offset} to {count - 1 + offset}.{hint}"
        )
    for label, name in counts.names.items():
        known = names.get(by_label[label], name)
        if name != known and name in names.values():
            raise UserError(
                f"The label {label} is called {name!r} in the records of"
                f" --tfrecord_pattern={pattern}, but the class {by_label[label]} is {known!r}."
                " Check --tfrecord_label_offset and the file of the labels."
            )
    if low >= 1 and high < count:
        _LOG.warning(
            "No record has the label %d; if labels are counted from 1, add"
            " --tfrecord_label_offset=%d.",
            *(offset, offset + 1),
        )
    if not names:
        names = {by_label[label]: name for label, name in counts.names.items()}
    return Classes(count, names)


def _raw_channels(settings: TfrecordSettings) -> int | None:
    """Returns how many channels raw pixels have, where a network reads what no image file has."""
    channels = getattr(settings, "channels", None)
    return None if channels in (None, 1, 3, 4) else channels


def _image_features(layout: Layout) -> dict:
    numbers = (HEIGHT, WIDTH) if layout.raw_channels else ()
    return {
        layout.image: tf.FixedLenFeature((), tf.string),
        **{name: tf.FixedLenFeature((), tf.int64) for name in numbers},
    }


def _image_handler(layout: Layout) -> slim.tfexample_decoder.ItemHandler:
    if layout.raw_channels:
        return _RawImage(layout.image, layout.raw_channels)
    return _Image(layout.image)


class _RawImage(slim.tfexample_decoder.ItemHandler):
    """Makes an image of its pixels."""

    def __init__(self, key: str, channels: int):
        super().__init__([key, HEIGHT, WIDTH])
        self._channels = channels

    def tensors_to_item(self, keys_to_tensors):
        pixels, height, width = (keys_to_tensors[key] for key in self.keys)
        shape = tf.stack([height, width, self._channels])
        image = tf.reshape(tf.io.decode_raw(pixels, tf.uint8), shape)
        image.set_shape([None, None, self._channels])
        return image


class _Image(slim.tfexample_decoder.ItemHandler):
    """Decodes an image by its contents; of an animation the first frame."""

    def __init__(self, key: str):
        super().__init__([key])

    def tensors_to_item(self, keys_to_tensors):
        (key,) = self.keys
        encoded = keys_to_tensors[key]
        image = tf.cond(
            tf.image.is_jpeg(encoded),
            lambda: tf.image.decode_jpeg(encoded, channels=3),
            lambda: tf.image.decode_image(encoded, channels=3, expand_animations=False),
        )
        image.set_shape([None, None, 3])
        return image


class _Number(slim.tfexample_decoder.ItemHandler):
    """Makes the class of a label that is a number, whatever its type."""

    def __init__(self, key: str, offset: int):
        super().__init__([key])
        self._offset = offset

    def tensors_to_item(self, keys_to_tensors):
        (key,) = self.keys
        label = keys_to_tensors[key]
        if label.dtype == tf.string:
            label = tf.strings.to_number(label, tf.int64)
        return tf.cast(label, tf.int64) - self._offset


class _Name(slim.tfexample_decoder.ItemHandler):
    """Makes the class of a label that is the name of one."""

    def __init__(self, key: str, names: tuple[str, ...]):
        super().__init__([key])
        self._names = [name.encode("utf-8", "surrogateescape") for name in names]

    def tensors_to_item(self, keys_to_tensors):
        (key,) = self.keys
        label = keys_to_tensors[key]
        equal = tf.equal(tf.constant(self._names), label)
        with tf.control_dependencies([tf.Assert(tf.reduce_any(equal), ["no class:", label])]):
            return tf.argmax(tf.cast(equal, tf.int64))


def _label(layout: Layout, counts: record_counts.Counts):
    """Returns how the label is parsed, and what makes the class of it.

    Raises:
      UserError: If labels are names in part and numbers in part.
    """
    (kind,) = counts.kinds
    dtype = {"int64": tf.int64, "float": tf.float32, "bytes": tf.string}[kind]
    features = {layout.label: tf.FixedLenFeature((), dtype)}
    named = [label in layout.class_names for label in counts.labels]
    if kind == "bytes" and all(named):
        return features, _Name(layout.label, layout.class_names)
    if any(named):
        shown = ", ".join(map(repr, list(counts.labels)[:_MAX_SHOWN]))
        raise UserError(f"Labels are names of classes in part, and numbers in part: {shown}.")
    return features, _Number(layout.label, layout.label_offset)
