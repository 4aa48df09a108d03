"""Writes a network to files of one or several formats, each checked before it gets its name."""

import contextlib
import dataclasses
import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping

from datasets.storage import labels
from deployment import sessions
from slim_internal.ground.errors import UserError
from slim_internal.ground.files import atomic, space
from slim_internal.parts.checkpoints import label_offset, run_record
from slim_internal.parts.inference import calibration, describe, description
from slim_internal.parts.inference.formats import table
from slim_internal.parts.inference.formats.format import Format, Frozen
from slim_internal.parts.inference.freeze import freeze
from slim_internal.programs.export import check
from slim_internal.programs.export import settings as export_config


@dataclasses.dataclass(frozen=True)
class Exported:
    """What an export has written.

    Attributes:
      paths: The file or folder of each format.
      graph_path: The first of them.
      description_path: Description of a frozen graph; other formats hold their own.
      labels_path: The file with the names of the classes, if it was asked for.
      model: The same description.
      checkpoint_path: The checkpoint whose weights are inside, or None.
      comparisons: How each file compares with the checkpoint, by format; empty without one.
    """

    paths: tuple[pathlib.Path, ...]
    description_path: pathlib.Path
    labels_path: pathlib.Path | None
    model: description.ModelDescription
    checkpoint_path: str | None
    comparisons: Mapping[str, check.Comparison]

    @property
    def graph_path(self) -> pathlib.Path:
        """The first file or folder that was written."""
        return self.paths[0]


def export(config: export_config.Export) -> Exported:
    """Writes a network, with its weights if there are any, and its description.

    Raises:
      UserError: If a name is unknown, the checkpoint does not fit, the file cannot be written or
        does not say what the checkpoint says.
    """
    config = run_record.complete_from_checkpoint(config)
    config = label_offset.settle(config, config.checkpoint_path)
    paths = _output_paths(config)
    if config.is_video_model and not config.num_frames:
        raise UserError("--is_video_model needs --num_frames, the number of frames of a clip.")
    model = describe.from_settings(config, config.num_frames)
    first = next(iter(paths.values()))
    beside = {}
    if config.write_labels:
        _require_labels(model, config, first.parent / labels.LABELS_FILENAME)
        beside[labels.LABELS_FILENAME] = labels.labels_text(model.class_names)
    if config.checkpoint_path:
        sessions.announce()
    network = freeze(
        model,
        config.checkpoint_path,
        moving_average_decay=config.moving_average_decay,
        batch_size=config.batch_size,
        is_training=config.is_training,
        as_text=config.write_text_graphdef,
        examples=_examples(config, model, paths),
        quantize=config.quantize,
    )
    comparisons = _write(network, paths, beside)
    return Exported(
        paths=tuple(paths.values()),
        description_path=description.description_path(first),
        labels_path=first.parent / labels.LABELS_FILENAME if beside else None,
        model=model,
        checkpoint_path=network.checkpoint_path,
        comparisons=comparisons,
    )


def _require_labels(
    model: description.ModelDescription, config: export_config.Export, path: pathlib.Path
) -> None:
    """Requires that the names of the classes are known, and that no dataset's labels are replaced.

    Args:
      model: Has the names.
      config: The settings.
      path: Where the labels go.
    """
    if not model.class_names:
        raise UserError(
            f"--write_labels: the names of the classes of {config.dataset_name} are not known; give"
            " --dataset_dir or, for TFRecords of any origin, --tfrecord_labels_file."
        )
    if config.dataset_dir and path.exists() and path.parent.samefile(config.dataset_dir):
        raise UserError(
            f"--write_labels would replace {path} of the dataset: choose another folder for"
            " --output_file."
        )


def _examples(
    config: export_config.Export, model: description.ModelDescription, formats: Iterable[str]
) -> calibration.Examples | None:
    """Returns examples of the dataset if a format needs them."""
    has_examples = config.dataset_dir or config.tfrecord_pattern
    if not has_examples or not any(table.FORMATS[name].needs_examples for name in formats):
        return None
    return calibration.read(model, config, config.calibration_split, config.calibration_images)


def _write(
    network: Frozen, paths: Mapping[str, pathlib.Path], beside: Mapping[str, str]
) -> dict[str, check.Comparison]:
    """Writes all formats; none gets its final name before all were read again and compared.

    Args:
      network: What to write.
      paths: Where each format goes.
      beside: Name -> text of further files in the folder of the first format.
    """
    comparisons = {}
    first = next(iter(paths.values()))
    first.parent.mkdir(parents=True, exist_ok=True)
    with _scratch(first) as folder:
        for name, path in paths.items():
            with _naming(path):
                table.FORMATS[name].write(network, folder, path.name)
            if network.probe is not None:
                comparisons[name] = check.compare(
                    table.FORMATS[name], folder / path.name, network.probe
                )
        for name, text in beside.items():
            atomic.write(folder / name, text.encode(errors="surrogateescape"))
        _publish(folder, first.parent, {path.name for path in paths.values()})
    return comparisons


@contextlib.contextmanager
def _naming(path: pathlib.Path) -> Iterator[None]:
    """Makes an error for want of space name the file that was asked for, not one in the scratch."""
    try:
        yield
    except OSError as error:
        if space.is_full(error):
            raise OSError(error.errno, error.strerror, os.fspath(path)) from error
        raise


@contextlib.contextmanager
def _scratch(path: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields an empty folder beside a path; at the end it is gone, with those of killed exports."""
    start = f".{path.name}."
    for other in path.parent.iterdir():
        process = other.name.removeprefix(start).partition(".")[0]
        if other.name.startswith(start) and other.suffix == atomic.SUFFIX and _has_ended(process):
            shutil.rmtree(other, ignore_errors=True)
    folder = tempfile.mkdtemp(
        prefix=f"{start}{os.getpid()}.", suffix=atomic.SUFFIX, dir=path.parent
    )
    try:
        yield pathlib.Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _has_ended(process: str) -> bool:
    try:
        os.kill(int(process), 0)
    except (ProcessLookupError, OverflowError):
        return True
    except (OSError, ValueError):  # It runs as another user; or that is no process at all.
        return False
    return False


def _publish(scratch: pathlib.Path, folder: pathlib.Path, last: set[str]) -> None:
    """Gives everything in a folder its final name in another, the named ones last."""
    for source in sorted(scratch.iterdir(), key=lambda path: path.name in last):
        target = folder / source.name
        if source.is_file():
            atomic.publish(source, target)
            continue
        if target.is_dir():  # A folder cannot replace another one that is not empty.
            os.replace(target, scratch / f"{source.name}.old")
        os.replace(source, target)
        atomic.sync_folder(folder)


def _output_paths(config: export_config.Export) -> dict[str, pathlib.Path]:
    """Returns where each format goes, by the name of the format."""
    names = list(dict.fromkeys(config.format.split(",")))
    formats = {name: table.get_format(name) for name in names}
    path = pathlib.Path(config.output_file)
    if not path.name:
        raise UserError(f"--output_file={path} is a folder; name a file in it: {path / 'model.pb'}")
    if path.suffix == ".json":
        raise UserError(f"--output_file={path}: .json is for the description; use .pb.")
    paths = {name: _path_of(each, path, alone=len(names) == 1) for name, each in formats.items()}
    for name, target in paths.items():
        _require_usable(config, formats[name], target)
    return paths


def _path_of(each: Format, path: pathlib.Path, *, alone: bool) -> pathlib.Path:
    """Returns the path of a format: as the user gave it, if it is the only one."""
    if alone:
        return path
    suffixes = sorted((other.suffix for other in table.FORMATS.values()), key=len, reverse=True)
    stem = next((path.name.removesuffix(s) for s in suffixes if path.name.endswith(s)), path.name)
    return path.with_name(stem + each.suffix)


def _require_usable(config: export_config.Export, each: Format, path: pathlib.Path) -> None:
    """Requires that a format can be written, and that nothing else is replaced by it."""
    if each.needs_weights and not config.checkpoint_path:
        raise UserError(f"--format={each.name} needs weights: give --checkpoint_path.")
    if each.needs_weights and config.is_training:
        raise UserError(f"--format={each.name} cannot hold a graph for training; leave it out.")
    if path.is_dir() and not each.recognizes(path):
        name = path / f"model{each.suffix}"
        raise UserError(f"--output_file={path} is a folder; name a file in it: {name}")
    if each.is_folder and path.exists() and not path.is_dir():
        raise UserError(
            f"{path} is a file, and --format={each.name} writes a folder: choose another"
            " --output_file."
        )
    if not each.is_folder:
        atomic.require_replaceable(path)
    if config.quantize and not each.takes_quantized:
        able = [name for name, other in table.FORMATS.items() if other.takes_quantized]
        raise UserError(f"--quantize works with --format={','.join(able)}; got {each.name}.")
    has_examples = config.dataset_dir or config.tfrecord_pattern
    if each.needs_examples and not has_examples and not config.quantize:
        raise UserError(f"--format={each.name} needs images to calibrate with: give --dataset_dir.")
    # A name may be that of several formats: `net_int8.tflite` ends as all of TensorFlow Lite do.
    others = [other for other in table.FORMATS.values() if path.name.endswith(other.suffix)]
    if others and not any(each.suffix.endswith(other.suffix) for other in others):
        stem = path.name.removesuffix(others[0].suffix)
        raise UserError(
            f"--output_file={path} is the name of a file for --format={others[0].name}; for"
            f" --format={each.name} use {path.with_name(stem + each.suffix)}."
        )
    each.require_libraries()
    if each.name == "frozen":
        description.require_no_other_file(path)
    is_empty = path.is_file() and not path.stat().st_size  # As `mktemp` makes it.
    if path.exists() and not (config.overwrite or is_empty or each.is_export(path)):
        raise UserError(
            f"{path} is there already, and export_inference_graph did not write it. Use --overwrite"
            " to replace it, or choose another --output_file."
        )
