"""The settings of a preview; imports no TensorFlow, so that `--help` answers at once."""

import dataclasses

from slim_internal.ground.settings import Settings, setting


@dataclasses.dataclass(frozen=True, kw_only=True)
class Preview(Settings, subject="Preview"):
    """Which operations to show, and where."""

    augment: str | None = setting(
        None,
        "Comma-separated operations to show, mixup and cutmix among them; all unless given.",
        common=True,
    )
    output_file: str = setting("augmentations.png", "Image to write the sheet to.", common=True)
    image_size: int = setting(
        192,
        "Height and width in pixels to which the images are resized before.",
        at_least=1,
        at_most=4096,
    )
    draws: int = setting(
        7, "Variations of each image to show per operation.", at_least=1, at_most=20
    )
    mixing_alpha: float = setting(
        1.0,
        "Alpha of the beta distribution by which two images are mixed: that of --mixup_alpha and"
        " --cutmix_alpha in training.",
        above=0,
    )
    seed: int = setting(0, "Seed of the variations.", at_least=0)
