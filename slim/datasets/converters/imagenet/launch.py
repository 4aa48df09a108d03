"""Converts ImageNet as the settings of a script say."""

import logging

from datasets.conversion import beam, write
from datasets.conversion.plan import Fetch
from datasets.converters.imagenet import archives, convert
from datasets.converters.imagenet.settings import ArchiveSettings, FolderSettings
from slim_internal.ground.progress.reporting import ProgressLog, StatusLine

_LOG = logging.getLogger(__name__)


def from_folders(settings: FolderSettings) -> int:
    """Converts images that lie unpacked and returns how many there are now.

    Raises:
      UserError: If an input or the output folder cannot be used.
    """
    options = settings.options()
    inputs = {
        name: getattr(settings, name)
        for name in (
            "train_directory",
            "validation_directory",
            "labels_file",
            "imagenet_metadata_file",
            "bounding_box_file",
        )
    }
    convert.check_folder(options, may_hold=filter(None, inputs.values()))
    return _carried_out(convert.Task(options=options, folders=inputs), settings)


def from_archives(settings: ArchiveSettings) -> int:
    """Converts the official archives and returns how many images there are now.

    Raises:
      UserError: If an archive or the output folder cannot be used.
    """
    options = settings.options()
    convert.check_folder(options)
    official = settings.archive_checksums == "on"
    request = archives.Request(
        data_dir=settings.output_directory,
        source=settings.source,
        base_url=settings.base_url,
        checksums=official,
        boxes=settings.bounding_boxes,
    )
    if request.missing() and (finished := convert.finished(options, whole=official)):
        return _told(finished, settings)
    task = convert.Task(options=options, whole=official, boxes=settings.bounding_boxes)
    return _carried_out(task, settings, archives.fetcher(request, StatusLine()))


def _carried_out(task: convert.Task, settings: FolderSettings, fetch: Fetch | None = None) -> int:
    carrier = None
    if isinstance(settings, ArchiveSettings):
        carrier = beam.carrier(settings.runner, settings.beam_args)
    vouched_for = task.whole and not task.folders
    if task.options.verify_images == "header" and not vouched_for:
        _LOG.warning(
            "No checksum vouches for these images, and only their headers and end markers are "
            "looked at: --verify_images=decode finds damage between them."
        )
    outcome = write.build(
        task.options.output_directory,
        convert.plan(archives.DATASET, task, fetch),
        num_workers=task.options.num_workers,
        progress=ProgressLog(),
        carrier=carrier,
    )
    return _told(outcome, settings)


def _told(outcome: write.Outcome, settings: FolderSettings) -> int:
    _LOG.info(outcome.summary(settings.output_directory))
    return sum(outcome.manifest.splits.values())
