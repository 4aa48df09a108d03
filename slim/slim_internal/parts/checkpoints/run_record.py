"""What a run was trained with, which travels with its weights as `settings.json`.

Training writes the file beside its checkpoints. Programs that take a checkpoint complete their
settings from it, so that the checkpoint alone is enough, and refuse what contradicts it. Published
weights have no such file; what their records say of them does instead.
"""

import dataclasses
import json
import logging
import os
import platform
from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeVar

from datasets.settings import DatasetSettings, TfrecordSettings
from preprocessing import preprocessing_factory
from slim_internal.ground.compat import paths, tf
from slim_internal.ground.errors import UserError
from slim_internal.ground.errors.escaping import escaped
from slim_internal.ground.files import atomic, json_objects
from slim_internal.ground.settings import Settings, replaced
from slim_internal.parts.checkpoints import published

_LOG = logging.getLogger(__name__)
_SETTINGS = TypeVar("_SETTINGS", bound=Settings)

FILENAME = "settings.json"

# What shapes the network and its images; training takes it over from weights that it starts from.
NETWORK = ("model_name", "image_size", "preprocessing_name", "use_grayscale", "channels")
# The same and what shapes the answers; whoever uses the weights as they are takes all of it.
_TFRECORDS = tuple(field.name for field in dataclasses.fields(TfrecordSettings))
EVERYTHING = (
    *NETWORK,
    "labels_offset",
    "moving_average_decay",
    "dataset_name",
    "dataset_dir",
    *_TFRECORDS,
)

# The way out of a contradiction, beside leaving out the flag.
OTHER_WEIGHTS = "name the weights that it belongs to with --checkpoint_path"

# Either says how many channels there are; where one is given, the other is not taken over.
_CHANNELS = ("use_grayscale", "channels")
# The names that the image size has as a flag.
_IMAGE_SIZES = ("eval_image_size", "train_image_size", "image_size")
# Where these differ from the record, the classes of the dataset are compared (`require_classes`),
# or it is a choice: averages or the weights of the last step, a copy of the dataset elsewhere.
_FREE = ("dataset_name", "dataset_dir", "moving_average_decay", *_TFRECORDS)

_NOT = (None, "")  # A flag of such a value says nothing.
_NUMBER = (int, float)
# Key of the file -> the types that its value may have; any key may be missing.
_TYPES: dict[str, tuple[type, ...]] = {
    "channels": (int,),
    "class_names": (list,),
    "dataset_dir": (str, type(None)),
    "dataset_name": (str,),
    "dataset_split_name": (str,),
    "eval_split_name": (str,),
    "image_size": (int,),
    "labels_offset": (int,),
    "model_name": (str,),
    "moving_average_decay": (*_NUMBER, type(None)),
    "num_classes": (int, type(None)),
    "preprocessing_name": (str,),
    "runs": (list,),
    "use_grayscale": (bool,),
    **dict.fromkeys(_TFRECORDS, (str, int, type(None))),
}


@dataclasses.dataclass(frozen=True)
class RunRecord:
    """What weights were trained with.

    Attributes:
      origin: Where that is said: the path of a file, or the published weights.
      values: What is said, by the names of `settings.json`.
    """

    origin: str
    values: Mapping[str, Any]

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the dataset's classes by label; empty if not known."""
        return tuple(self.values.get("class_names", ()))

    @property
    def num_classes(self) -> int | None:
        """Number of the dataset's classes; None if not known."""
        return self.values.get("num_classes")

    def is_of(self, settings: DatasetSettings) -> bool:
        """Returns whether settings name the dataset whose classes the record has."""
        folder = settings.dataset_dir and os.path.abspath(settings.dataset_dir)
        return (
            self.num_classes is not None
            and settings.dataset_name == self.values.get("dataset_name")
            and (not folder or folder == self.values.get("dataset_dir"))
            and all(getattr(settings, name) == self.values.get(name) for name in _TFRECORDS)
        )

    def require_classes(self, num_classes: int, class_names: Sequence[str], source: str) -> None:
        """Requires that a dataset has the classes that the weights were trained on.

        Args:
          num_classes: Number of its classes.
          class_names: Their names by label; empty if not known.
          source: Where they come from, for the message.

        Raises:
          UserError: If it has others, or the same in another order.
        """
        known = self.class_names
        if known and class_names and tuple(class_names) != known:
            pairs = enumerate(zip(known, class_names, strict=False))
            label, (here, there) = next(
                ((label, pair) for label, pair in pairs if pair[0] != pair[1]),
                (min(len(known), len(class_names)), ("", "")),
            )
            first = f"; class {label} is {here!r} there and {there!r} here" if here else ""
            raise self._other_classes(
                f"{len(known)} classes ({_few(known)})",
                f"{source} has {len(class_names)} ({_few(class_names)}){first}",
            )
        if self.num_classes and num_classes != self.num_classes:
            raise self._other_classes(f"{self.num_classes} classes", f"{source} has {num_classes}")

    def _other_classes(self, trained: str, found: str) -> UserError:
        return UserError(
            f"{self.origin}: the weights were trained on {trained}, but {found}. Give the dataset"
            " that they were trained on, or one with the same classes in the same order."
        )


def find(checkpoint_path: str) -> RunRecord | None:
    """Returns what is known of the weights that `--checkpoint_path` means, or None.

    Args:
      checkpoint_path: The folder of a run or its `best/`, a checkpoint in one of them, or the name
        of published weights.

    Raises:
      UserError: If the file is damaged, or the published weights cannot be had.
    """
    is_folder = os.path.isdir(checkpoint_path)
    folder = checkpoint_path if is_folder else os.path.dirname(checkpoint_path)
    known = published.names().get(checkpoint_path)
    if known and not is_folder and not _is_checkpoint(checkpoint_path):
        return _of_published(known)
    return read(folder or ".")


def read(folder: str) -> RunRecord | None:
    """Returns what the `settings.json` of a folder says, or None if there is none.

    Raises:
      UserError: If it is damaged.
    """
    path = os.path.join(folder, FILENAME)
    if not os.path.lexists(path):
        return None
    try:
        values = json_objects.read(path)
    except json_objects.DamageError as error:
        raise _damaged(path, str(error)) from error
    for name, types in _TYPES.items():
        value = values.get(name)
        wrong = name in values and (
            not isinstance(value, types) or (isinstance(value, bool) and bool not in types)
        )
        if wrong or (name == "class_names" and not all(map(json_objects.is_text, value or ()))):
            raise _damaged(path, f"{name} cannot be {json.dumps(value)[:60]}")
    return RunRecord(path, values)


def write(folder: str, values: Mapping[str, Any], run: Mapping[str, Any]) -> None:
    """Writes the `settings.json` of a run, which keeps what earlier runs were.

    Args:
      folder: Folder of the checkpoints.
      values: What holds for the checkpoints from now on.
      run: What is known of this run; the versions are added to both.
    """
    previous = read(folder)
    runs = previous.values.get("runs", []) if previous else []
    used = {"versions": versions()}
    everything = {**values, **used, "runs": [*runs, {**run, **used}]}
    text = json.dumps(everything, indent=1)  # Names that are no UTF-8 survive as escapes.
    atomic.write(os.path.join(folder, FILENAME), f"{text}\n")


def copy(folder: str, target: str) -> None:
    """Copies the `settings.json` of a folder into another, if there is one."""
    try:
        with open(os.path.join(folder, FILENAME), "rb") as file:
            content = file.read()
    except FileNotFoundError:
        return
    atomic.write(os.path.join(target, FILENAME), content)


def versions() -> dict[str, str]:
    """Returns what computes: the versions of Python and TensorFlow."""
    return {"python": platform.python_version(), "tensorflow": tf.version.VERSION}


def complete_from_checkpoint(config: _SETTINGS) -> _SETTINGS:
    """Returns the settings of a program that uses `checkpoint_path` as it is, completed.

    Raises:
      UserError: If a setting contradicts what the weights were trained with.
    """
    path = getattr(config, "checkpoint_path", None)
    return complete(config, find(path) if path else None, remedy=OTHER_WEIGHTS)


def complete(
    config: _SETTINGS,
    record: RunRecord | None,
    names: Collection[str] = EVERYTHING,
    *,
    remedy: str = "",
) -> _SETTINGS:
    """Returns the settings of a program, completed by what the weights were trained with.

    Args:
      config: The settings; `given` tells which of them the user chose.
      record: What is known of the weights, or None.
      names: What to complete.
      remedy: What to do where a setting that was given contradicts the record; empty if it may.

    Raises:
      UserError: If a setting contradicts the record and must not.
    """
    if record is None:
        return config
    taken = {}
    told = any(name in config.given and getattr(config, name) for name in _CHANNELS)
    for name in names:
        flags = [flag for flag in _flags_of(name) if hasattr(config, flag)]
        given = [
            flag for flag in flags if flag in config.given and getattr(config, flag) not in _NOT
        ]
        if name in record.values and flags:
            free = not given and not (told and name in _CHANNELS)
            if free and getattr(config, flags[0]) != record.values[name]:
                taken[flags[0]] = record.values[name]
            for flag in given if remedy else ():
                _compare(record, name, flag, getattr(config, flag), remedy)
    try:
        completed = replaced(config, **taken)
    except UserError as error:  # Of a value that nobody gave.
        raise _damaged(record.origin, str(error)) from error
    if not _same_dataset(completed, record):  # Where the files are is said of another dataset.
        for name in ("dataset_dir", *_TFRECORDS):
            taken.pop(name, None)
        completed = replaced(config, **taken)
    if taken:
        shown = " ".join(f"--{name}={value}" for name, value in taken.items())
        _LOG.info("From %s: %s", record.origin, shown)
    return completed


def _flags_of(name: str) -> tuple[str, ...]:
    return _IMAGE_SIZES if name == "image_size" else (name,)


def _same_dataset(config: Settings, record: RunRecord) -> bool:
    return getattr(config, "dataset_name", None) == record.values.get("dataset_name")


def _compare(record: RunRecord, name: str, flag: str, value: Any, remedy: str) -> None:
    """Raises UserError if a setting contradicts the record; warns if it may be meant."""
    known = record.values[name]
    if name in _FREE or value == known:
        return
    both = f"--{flag}={value} contradicts {record.origin}, which says {name}={known}"
    if name == "image_size":
        _LOG.warning("%s. Images of %d pixels are used.", both, value)
        return
    if name == "preprocessing_name" and _is_same_preprocessing(value, known):
        return
    raise UserError(f"{both}: leave out the flag, or {remedy}.")


def _is_same_preprocessing(*names: str) -> bool:
    functions = {preprocessing_factory.get_preprocessing(name).func for name in names}
    return len(functions) == 1


def _of_published(weights: published.Weights) -> RunRecord:
    """Returns what is known of published weights, which are fetched if they are not here yet."""
    published.locate(weights.name)
    cached = published.in_cache(weights)
    values = {
        "model_name": weights.network.name,
        "image_size": weights.checkpoint.image_size,
        "preprocessing_name": weights.network.preprocessing,
        "labels_offset": weights.labels_offset,
    }
    if cached and not cached.plain:  # Only averages are there; any rate restores them.
        values["moving_average_decay"] = 0.9999
    return RunRecord(f"the published weights {weights.name}", values)


def _is_checkpoint(path: str) -> bool:
    return tf.train.checkpoint_exists(paths.literal_checkpoint(path))


def _damaged(path: str, problem: str) -> UserError:
    return UserError(
        f"{path} is damaged: {problem}. Restore it, or remove it and give --model_name and what"
        " else the weights were trained with."
    )


def _few(names: Sequence[str]) -> str:
    return ", ".join(map(escaped, names[:3])) + (", ..." if len(names) > 3 else "")
