"""How labels of ImageNet become classes of a checkpoint that has no background class."""

import logging
from collections.abc import Sequence
from typing import TypeVar

from datasets import dataset_factory
from nets import nets_factory
from nets.network import Network
from nets.settings import NetworkSettings
from slim_internal.ground.settings import replaced
from slim_internal.parts.checkpoints import latest, restore

_LOG = logging.getLogger(__name__)
_SETTINGS = TypeVar("_SETTINGS", bound=NetworkSettings)

_DATASET = "imagenet"  # Its class 0 is the background, which no image shows.
_WITH_BACKGROUND = 1001


def choose(
    config: NetworkSettings,
    network: Network,
    dataset_name: str,
    num_classes: int,
    checkpoint_path: str | None,
) -> int:
    """Returns the label offset: as the user gave it, else as the checkpoint needs it.

    VGG and ResNet v1 were published with the 1,000 classes of ImageNet, without the background
    class. Where such a checkpoint meets ImageNet, the offset is 1.

    Args:
      config: The settings.
      network: Record of the network.
      dataset_name: Name of the dataset.
      num_classes: Number of its classes.
      checkpoint_path: The checkpoint whose classifier is going to be used, or None.
    """
    is_chosen = "labels_offset" in config.given or checkpoint_path is None
    if is_chosen or (dataset_name, num_classes) != (_DATASET, _WITH_BACKGROUND):
        return config.labels_offset
    if num_classes_of(network, checkpoint_path) != _WITH_BACKGROUND - 1:
        return config.labels_offset
    if config.labels_offset != 1:
        _LOG.info("The checkpoint has no background class: --labels_offset=1.")
    return 1


def possible(dataset_name: str, class_names: Sequence[str] = ()) -> tuple[int, ...]:
    """Returns how many classes of a dataset networks leave out whose classes have no names.

    Args:
      dataset_name: Name of the dataset.
      class_names: Names of its classes, if they are known; none but a background class, which no
        image shows, is left out.
    """
    is_background = dataset_name == _DATASET or class_names[:1] == (nets_factory.BACKGROUND,)
    return (0, 1) if is_background else (0,)


def num_classes_of(network: Network, checkpoint_path: str) -> int | None:
    """Returns how many classes a checkpoint of a network tells apart; None if it does not say.

    Raises:
      UserError: If it cannot be read.
    """
    widths = {
        shape[-1]
        for name, shape in restore.saved_shapes(latest.find(checkpoint_path)).items()
        if shape and restore.in_scopes(name, network.classifier_scopes)
    }
    return widths.pop() if len(widths) == 1 else None


def settle(config: _SETTINGS, checkpoint_path: str | None) -> _SETTINGS:
    """Returns the settings of a program that uses a checkpoint as it is, with the label offset."""
    if not checkpoint_path or config.dataset_name != _DATASET:
        return config
    network = nets_factory.get_network(config.model_name)
    num_classes = dataset_factory.get_record(_DATASET).num_classes
    offset = choose(config, network, _DATASET, num_classes, checkpoint_path)
    return replaced(config, labels_offset=offset)
