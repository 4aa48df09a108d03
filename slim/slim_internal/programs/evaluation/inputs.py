"""What the settings of an evaluation leave open, and the split that they name."""

import logging

from datasets import dataset_factory
from slim_internal.ground.compat import slim
from slim_internal.ground.errors import UserError
from slim_internal.ground.settings import missing, replaced
from slim_internal.parts.checkpoints import label_offset, run_record
from slim_internal.parts.input_pipeline import batches
from slim_internal.programs.evaluation import networks
from slim_internal.programs.evaluation.settings import Evaluation

_LOG = logging.getLogger(__name__)


def completed(config: Evaluation, record: run_record.RunRecord | None) -> Evaluation:
    """Returns the settings completed by what the weights were trained with."""
    config = run_record.complete(config, record, remedy=run_record.OTHER_WEIGHTS)
    first = networks.paths(config)[0]
    if not config.graph and not networks.is_exported(first):
        config = label_offset.settle(config, first)
    if not config.dataset_dir and config.tfrecord_pattern is None:
        raise missing(config, "dataset_dir")
    split = record.values.get("eval_split_name") if record else None
    if split and "dataset_split_name" not in config.given:
        wanted = config.dataset_split_name
        if not dataset_factory.has_split(config, wanted) and dataset_factory.has_split(
            config, split
        ):
            _LOG.info("From %s: --dataset_split_name=%s", record.origin, split)
            config = replaced(config, dataset_split_name=split)
    return config


def split(config: Evaluation) -> slim.dataset.Dataset:
    """Opens the split that the settings name.

    Raises:
      UserError: If the dataset cannot be read, has no such split, or no image in it.
    """
    flag = f"--dataset_split_name={config.dataset_split_name}"
    try:
        dataset = dataset_factory.open_split(config, config.dataset_split_name)
    except UserError as error:
        if dataset_factory.has_split(config, config.dataset_split_name):
            raise
        raise UserError(f"{flag}: {error}") from error
    try:
        batches.filled_files(dataset)
    except UserError as error:
        raise UserError(f"{flag}: {error}") from error
    return dataset
