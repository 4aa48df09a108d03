"""What a training run takes from `settings.json`, and what it writes there."""

import os
import time
from dataclasses import fields
from typing import Any

from datasets.settings import TfrecordSettings
from nets.network import Network
from slim_internal.ground.compat import slim
from slim_internal.ground.settings import described
from slim_internal.parts.checkpoints import latest, run_record
from slim_internal.parts.inference import describe
from slim_internal.programs.training.settings import TrainConfig
from slim_internal.programs.training.start import Start


def completed(config: TrainConfig) -> TrainConfig:
    """Returns the settings completed by what the run began with, or the weights it starts from.

    A run that continues must not contradict itself. One that starts from other weights takes what
    shapes the network and its images, and may differ.

    Raises:
      UserError: If a setting contradicts what the run began with.
    """
    if latest.list_checkpoints(config.train_dir):
        return run_record.complete(
            config, run_record.read(config.train_dir), remedy="choose another --train_dir"
        )
    if not config.checkpoint_path:
        return config
    if config.reestimate_batch_norm:  # The weights are used as they are.
        return run_record.complete_from_checkpoint(config)
    record = run_record.find(config.checkpoint_path)
    return run_record.complete(config, record, run_record.NETWORK)


def require_same_classes(config: TrainConfig, dataset: slim.dataset.Dataset) -> None:
    """Requires that a run that continues goes on with the classes that it has learned.

    Raises:
      UserError: If the dataset has others.
    """
    record = run_record.read(config.train_dir)
    if record:
        record.require_classes(*describe.classes_of(dataset), f"--dataset_dir={config.dataset_dir}")


def write(
    config: TrainConfig, network: Network, dataset: slim.dataset.Dataset, begin: Start
) -> None:
    """Writes what the checkpoints in `train_dir` are trained with from now on.

    Call it once the graph is built: the first convolution tells the number of channels.
    """
    num_classes, class_names = describe.classes_of(dataset)
    values = {
        "model_name": network.name,
        "image_size": config.train_image_size or network.default_image_size,
        "preprocessing_name": config.preprocessing_name or network.preprocessing,
        "use_grayscale": config.channels == 1,
        "labels_offset": config.labels_offset,
        "dataset_name": config.dataset_name,
        "dataset_dir": config.dataset_dir and os.path.abspath(config.dataset_dir),
        **_tfrecord_settings(config),
        "dataset_split_name": config.dataset_split_name,
        "eval_split_name": config.eval_split_name,
        "num_classes": num_classes,
        "class_names": class_names,
        "moving_average_decay": config.moving_average_decay,
        "seed": config.seed,
    }
    for variable in slim.get_model_variables():
        if variable.op.name == network.first_conv:
            values["channels"] = variable.shape.as_list()[-2]
    run = {
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "first_step": begin.step,
        "from_checkpoint": begin.checkpoint or config.checkpoint_path,
        "settings": {
            field.name: getattr(config, field.name)
            for field in described(type(config))
            if getattr(config, field.name) != field.default
        },
    }
    run_record.write(config.train_dir, values, run)


def _tfrecord_settings(config: TrainConfig) -> dict[str, Any]:
    """Returns the settings of TFRecords of any origin, which hold in every working folder."""
    values = {field.name: getattr(config, field.name) for field in fields(TfrecordSettings)}
    for name, start in (("tfrecord_pattern", config.dataset_dir), ("tfrecord_labels_file", None)):
        if values[name]:
            values[name] = os.path.abspath(os.path.join(start or "", values[name]))
    return values
