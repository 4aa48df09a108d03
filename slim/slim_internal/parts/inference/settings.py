"""What evaluation, export and classification share; imports no TensorFlow."""

import dataclasses

from datasets.settings import DatasetSettings
from nets.settings import NetworkSettings
from slim_internal.ground.settings import setting


@dataclasses.dataclass(frozen=True, kw_only=True)
class InferenceSettings(NetworkSettings, DatasetSettings, subject="Weights"):
    """A trained network, its weights and the dataset whose classes it knows."""

    checkpoint_path: str | None = setting(
        None,
        "Checkpoint, or folder whose newest checkpoint is used. What it was trained with (network,"
        " images, dataset) is known from its run unless given.",
        common=True,
    )
    moving_average_decay: float | None = setting(
        None,
        "Set when training kept moving averages: uses these instead of the weights of the last"
        " step.",
        at_least=0,
        at_most=1,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class GraphSettings(InferenceSettings):
    """The same for a program that reads no examples."""

    dataset_dir: str | None = setting(
        "",
        "Folder with the converted dataset; needed where its number of classes is stored with its"
        " files (image_folder).",
    )
    labels_offset: int = setting(
        0,
        "Number of classes to leave out at the beginning; 1 for networks without a background"
        " class (VGG and ResNet v1 on ImageNet), -1 for one that the dataset does not have.",
    )
    image_size: int | None = setting(
        None,
        "Height and width of the input in pixels; the network's own unless given.",
        at_least=1,
        subject="Network",
    )
