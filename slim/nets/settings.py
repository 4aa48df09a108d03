"""Which network a program builds; imports no TensorFlow, so that `--help` answers at once."""

import dataclasses

from slim_internal.ground.errors import UserError
from slim_internal.ground.settings import Settings, setting


@dataclasses.dataclass(frozen=True, kw_only=True)
class NetworkSettings(Settings, subject="Network"):
    """The network, by its name, and what goes in and comes out."""

    model_name: str | None = setting(
        "inception_v3", "Name of the network; list_networks prints all names.", common=True
    )
    preprocessing_name: str | None = setting(
        None, "Name of the preprocessing; that of the network unless given."
    )
    use_grayscale: bool = setting(False, "Convert images to grayscale; the same as --channels=1.")
    channels: int | None = setting(
        None,
        "Channels of the images that the network reads: 1 (grayscale), 3 (color), 4 (color and"
        " opacity), or others of raw pixels in --dataset_name=tfrecords; those of the dataset, or"
        " of the checkpoint, unless given. Training adapts the first convolution of a"
        " --checkpoint_path that has another number.",
        at_least=1,
        at_most=1024,
    )
    labels_offset: int = setting(
        0,
        "Subtracted from each label and from the number of classes; 1 for networks without a"
        " background class (VGG and ResNet v1 on ImageNet), where a checkpoint tells unless"
        " given.",
    )

    def __post_init__(self):
        super().__post_init__()
        if self.use_grayscale:
            if self.channels not in (None, 1):
                raise UserError(
                    f"--use_grayscale and --channels={self.channels} contradict each other: give"
                    " one."
                )
            object.__setattr__(self, "channels", 1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class MobilenetV1Settings(Settings, subject="MobileNet v1"):
    """The flags that the published programs for MobileNet v1 on ImageNet share."""

    quantize: bool = setting(False, "Simulate 8-bit arithmetic.", common=True)
    depth_multiplier: float = setting(1.0, "Factor of the number of channels.", above=0)
    image_size: int = setting(224, "Height and width of the images in pixels.", at_least=1)
    num_classes: int = setting(
        1001, "Classes to tell apart: 1001, or 1000 without the background.", at_least=1
    )
    master: str = setting("", "Address of the TensorFlow server.")
