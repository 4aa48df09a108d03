"""The settings of the conversion of ImageNet; imports no TensorFlow, so that `--help` is quick."""

import dataclasses

from datasets.conversion.settings import ON_BAD_IMAGE
from slim_internal.ground.settings import Settings, setting

VERIFY_IMAGES = ("header", "decode")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options(Settings, subject="Conversion"):
    """How to convert."""

    output_directory: str = setting("/tmp/", "Folder to write into.")
    train_shards: int = setting(1024, "Files of the training split.", at_least=1)
    validation_shards: int = setting(128, "Files of the validation split.", at_least=1)
    num_workers: int = setting(1, "Processes that write shards.", at_least=1)
    seed: int = setting(12345, "Seed of the order of the images.")
    on_bad_image: str = setting(
        "error",
        "What to do with an image that cannot be read: stop, leave it out, or keep what can be"
        " read of it. bad_images.csv in the output lists such images.",
        choices=ON_BAD_IMAGE,
    )
    max_bad_images: int = setting(100, "Maximum number of skipped and repaired images.", at_least=0)
    verify_images: str = setting(
        "header",
        "How closely to look at each image: at its header and end marker, or decode it.",
        choices=VERIFY_IMAGES,
    )
