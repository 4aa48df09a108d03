"""Finding the files of a dataset, with a manifest or by their names."""

import dataclasses
import os
import re
from collections.abc import Mapping

from datasets import any_tfrecords
from datasets.settings import TfrecordSettings
from datasets.storage import journal, labels, manifest, series
from datasets.storage.layout import Layout
from slim_internal.ground import errors

_SPLIT_NAMES = ("train", "training", "validation", "valid", "val", "eval", "test")
_SPLIT = re.compile(rf"(?:^|[_.-])({'|'.join(_SPLIT_NAMES)})(?=$|[_.-])")
_SINGLE = re.compile(r"^(?P<stem>.+)\.tfrecords?$")


@dataclasses.dataclass(frozen=True)
class RecordFile:
    """One file of records.

    Attributes:
      path: Where it is.
      split: The split it belongs to.
      records: How many records it ought to hold, or None if nothing says so.
      shown: Its name among files of several folders; that in its folder unless given.
    """

    path: str
    split: str
    records: int | None = None
    shown: str = ""

    @property
    def name(self) -> str:
        """Its name, which no other file of the dataset has."""
        return self.shown or os.path.basename(self.path)


@dataclasses.dataclass(frozen=True)
class DatasetFiles:
    """A dataset as its folder describes it.

    Attributes:
      name: Name of the dataset; that of the folder where nothing else is known.
      files: Its files in order.
      class_names: Label -> name, as far as manifest or label file say.
      missing: Names of files that ought to be there.
      remarks: What is unusual about the folder, in sentences.
      left_out: Extension -> number of files that the conversion did not take for images.
      layout: Where the parts of an example stand, if not where this library puts them.
    """

    name: str
    files: tuple[RecordFile, ...]
    class_names: dict[int, str]
    missing: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    left_out: Mapping[str, int] = dataclasses.field(default_factory=dict)
    layout: Layout | None = None


def find(dataset_dir: str) -> DatasetFiles:
    """Describes the dataset in a folder.

    Raises:
      UserError: The folder does not exist or holds no dataset.
    """
    if not os.path.isdir(dataset_dir):
        raise errors.UserError(f"--dataset_dir={dataset_dir}: there is no such folder.")
    contents = manifest.read(dataset_dir)
    if contents is None:
        return _by_name(dataset_dir)
    there = set(os.listdir(dataset_dir))
    files = tuple(
        RecordFile(os.path.join(dataset_dir, shard.name), shard.split, shard.records)
        for shard in contents.shards
    )
    return DatasetFiles(
        name=contents.dataset,
        files=tuple(file for file in files if file.name in there),
        class_names=dict(enumerate(contents.class_names)),
        missing=tuple(file.name for file in files if file.name not in there),
        left_out=contents.left_out,
    )


def find_of_any_origin(
    settings: TfrecordSettings, split_names: str | None = None, dataset_dir: str | None = None
) -> DatasetFiles:
    """Describes TFRecords of any origin.

    Args:
      settings: Which files, and where the parts of an example stand.
      split_names: Their splits, separated by commas; those that have files unless given.
      dataset_dir: Folder that a relative pattern starts from.

    Raises:
      UserError: There are no such files, or the first one has no records that can be used.
    """
    names = [name.strip() for name in (split_names or "").split(",") if name.strip()]
    if "%s" not in (settings.tfrecord_pattern or ""):
        names = names[:1] or ["all"]
    splits: dict[str, str] = {}  # `%s*` takes the files of "validation" for those of "val" too.
    found = []
    for name in names or _SPLIT_NAMES:
        try:
            found.append(any_tfrecords.find(settings, name, dataset_dir))
        except any_tfrecords.NoFilesError:
            if names or (name == _SPLIT_NAMES[-1] and not found):
                raise
            continue
        splits = dict.fromkeys(found[-1].files, name) | splits
    paths = list(splits)
    folder = os.path.dirname(os.path.commonpath([*paths, os.path.dirname(paths[0])]) + os.sep)
    classes = found[0].classes
    return DatasetFiles(
        name=os.path.basename(os.path.abspath(folder)),
        files=tuple(
            RecordFile(path, split, shown=os.path.relpath(path, folder or "."))
            for path, split in sorted(splits.items())
        ),
        class_names=dict(classes.names) if classes else {},
        layout=found[0].layout,
    )


def _by_name(dataset_dir: str) -> DatasetFiles:
    files = []
    for name in sorted(os.listdir(dataset_dir)):
        match = series.PART.match(name) or _SINGLE.match(name)
        if not match or name.startswith("."):
            continue
        split = _SPLIT.search(match["stem"])
        files.append(
            RecordFile(os.path.join(dataset_dir, name), split[1] if split else match["stem"])
        )
    if not files:
        raise errors.UserError(
            f"{dataset_dir} holds no dataset: neither {manifest.FILENAME} nor files named "
            "like train-00000-of-00010 or digits_train.tfrecord. Check --dataset_dir."
        )
    unfinished = journal.path(dataset_dir).exists()
    remark = (
        "The conversion of this dataset has not ended."
        if unfinished
        else f"There is no {manifest.FILENAME}, so the files were found by their names and it is "
        "not known how many records they should hold."
    )
    has_labels = labels.has_labels(dataset_dir)
    names = [file.name for file in files]
    return DatasetFiles(
        name=os.path.basename(os.path.abspath(dataset_dir)),
        files=tuple(files),
        class_names=labels.read_label_file(dataset_dir) if has_labels else {},
        missing=tuple(series.missing(names)),
        remarks=(remark, *series.doubled(names)),
    )
