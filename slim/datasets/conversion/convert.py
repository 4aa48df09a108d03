"""From a name and a folder to a converted dataset: what every converter has in common."""

import dataclasses
import importlib
import os
import pathlib
import shutil

from datasets import dataset_factory
from datasets.conversion import write
from datasets.conversion.settings import DOWNLOADS, Conversion
from datasets.record import DatasetRecord
from datasets.storage import journal, manifest
from slim_internal.ground.downloads import download, receipts
from slim_internal.ground.downloads.remote_file import RemoteFile
from slim_internal.ground.errors import UserError
from slim_internal.ground.progress import reporting

# Fields that every dataset takes and that leave the written bytes alone.
_COMMON = {"dataset_name", "dataset_dir", "archive_checksums", "num_workers"}
# Fields that choose what is read or tolerated; the written files tell the rest.
_NOT_IN_MANIFEST = {
    *("source", "labels_csv", "splits", "folders_are_classes", "max_bad_images"),
    *("coco_dirname", "coco_annotations_url", "coco_train_url", "coco_validation_url"),
}


def convert(
    config: Conversion,
    *,
    progress: reporting.Progress = reporting.silent,
    download_progress: reporting.Progress = reporting.silent,
) -> write.Outcome:
    """Downloads and converts a dataset, or completes what an earlier run began.

    Args:
      config: What to do.
      progress: Called as examples are converted.
      download_progress: Called as downloads advance.

    Raises:
      UserError: An option, an input or the folder cannot be used.
    """
    record = dataset_factory.get_record(config.dataset_name)
    _check_options(config, record)
    folder = pathlib.Path(config.dataset_dir)
    complete = _complete(config, record) if record.sources else None
    if complete:
        _tidy(folder)
        return write.Outcome(complete, ())
    if _made_by_original(config, record):
        return write.Outcome(None, ())
    _check_folder(config, record)
    converter = importlib.import_module(record.converter)

    def fetch(remote: RemoteFile) -> str:
        if config.archive_checksums == "off":
            remote = dataclasses.replace(remote, size=None, digest=None)
        try:
            return download.fetch(
                remote, config.downloads, source=config.source, progress=download_progress
            )
        except receipts.MismatchError as error:
            raise UserError(
                f"{error} If another version of it is meant, say --archive_checksums=off."
            ) from error

    with write.exclusive(folder):  # From the first download to the removal of the last.
        plan = converter.plan(record, config, fetch)
        plan = dataclasses.replace(plan, options=_manifest_options(config, record))
        outcome = write.build_exclusively(
            folder, plan, num_workers=config.num_workers or os.cpu_count(), progress=progress
        )
        _tidy(folder)
    return outcome


def _tidy(folder: pathlib.Path) -> None:
    """Removes what a complete set needs no more; a run may have been killed while it did that."""
    shutil.rmtree(folder / DOWNLOADS, ignore_errors=True)
    journal.end(folder)


def _check_options(config: Conversion, record: DatasetRecord) -> None:
    if record.program:
        raise UserError(f"{record.name} has its own program: {record.program}.")
    options = (*record.options, "source") if record.sources else record.options
    for field in dataclasses.fields(config):
        if field.name in _COMMON or field.name in options:
            continue
        if getattr(config, field.name) != field.default:
            raise UserError(
                f"--{field.name} does not apply to {record.name}, which accepts: "
                f"{', '.join('--' + name for name in options)}."
            )
    if not pathlib.PurePath(config.coco_dirname).parts:
        raise UserError(f"--coco_dirname must name a folder. Received: {config.coco_dirname!r}.")


def _manifest_options(config: Conversion, record: DatasetRecord) -> dict[str, object]:
    names = [name for name in record.options if name not in _NOT_IN_MANIFEST]
    return {name: getattr(config, name) for name in names}


def _complete(config: Conversion, record: DatasetRecord) -> manifest.Manifest | None:
    """Returns the manifest if the folder holds this very set, intact: nothing need be fetched."""
    found = manifest.read(config.dataset_dir)
    if not found or found.dataset != record.name:
        return None
    manifest.require_options(config.dataset_dir, found, _manifest_options(config, record))
    damaged = any(manifest.verify(config.dataset_dir, reporting.ProgressLog()))
    return None if damaged else found


def _made_by_original(config: Conversion, record: DatasetRecord) -> bool:
    """Returns whether the folder has files of every split but neither manifest nor journal."""
    folder = pathlib.Path(config.dataset_dir)
    if journal.occupant(folder):
        return False
    patterns = [record.file_pattern % split for split in record.splits]
    return bool(patterns) and all(any(folder.glob(pattern)) for pattern in patterns)


def _check_folder(config: Conversion, record: DatasetRecord) -> None:
    """Refuses to write among data that no conversion of this dataset left there."""
    folder = pathlib.Path(config.dataset_dir)
    found = journal.occupant(folder)
    if found and found != record.name:
        raise UserError(f"{folder} holds another dataset, {found}. Choose another --dataset_dir.")
    if found:
        return
    # Archives may lie there, with what the download manager keeps beside them.
    scratch = pathlib.PurePath(config.downloads_name).parts[0]
    ours = (scratch, *(source.name for source in record.sources))
    others = sorted(path.name for path in folder.glob("*") if not path.name.startswith(ours))
    if others:
        raise UserError(
            f"{folder} holds other data ({', '.join(others[:5])}{', ...' * (len(others) > 5)}). "
            "Choose an empty --dataset_dir."
        )
