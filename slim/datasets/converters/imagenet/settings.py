"""What a user can choose about the conversion of ImageNet; imports nothing that takes time."""

import dataclasses

ON_BAD_IMAGE = ("error", "skip", "repair")
VERIFY_IMAGES = ("header", "decode")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """How to convert.

    Attributes:
      output_directory: Folder to write into.
      train_shards: Files of the training split.
      validation_shards: Files of the validation split.
      num_workers: Processes that write shards.
      seed: Decides the order of the pictures.
      on_bad_image: What to do with a picture that cannot be read: "error", "skip" or "repair".
      max_bad_images: How many skipped and repaired pictures are acceptable.
      verify_images: How closely to look at each picture: at its "header" and its end marker, or
        "decode" it.
    """

    output_directory: str
    train_shards: int = 1024
    validation_shards: int = 128
    num_workers: int = 1
    seed: int = 12345
    on_bad_image: str = "error"
    max_bad_images: int = 100
    verify_images: str = "header"
