"""How training images are varied; imports no TensorFlow, so that `--help` answers at once."""

import dataclasses

from slim_internal.ground.settings import Settings, setting


@dataclasses.dataclass(frozen=True, kw_only=True)
class AugmentationSettings(Settings, subject="Augmentation"):
    """What varies the images besides the random crops and colors of the preprocessing."""

    augment: str | None = setting(
        None,
        "Comma-separated operations to apply to training images after those of the preprocessing,"
        " such as flip_up_down, random_erasing, rand_augment; preview_augmentations shows all."
        " --mixup_alpha and --cutmix_alpha mix them with each other.",
    )
    min_crop_area: float | None = setting(
        None,
        "Smallest part of an image that inception preprocessing takes for training, as a fraction"
        " of its area; 0.05 unless given.",
        above=0,
        at_most=1,
    )
    random_preprocessing: bool = setting(
        True,
        "Vary training images at random as their preprocessing does; otherwise it prepares them as"
        " for evaluation.",
    )
