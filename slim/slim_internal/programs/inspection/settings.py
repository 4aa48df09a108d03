"""What a user can choose about an inspection; imports nothing, so that `--help` answers at once."""

import dataclasses


@dataclasses.dataclass(frozen=True, kw_only=True)
class Inspection:
    """What to look at and where to write what was seen.

    Attributes:
      dataset_dir: Folder of the converted dataset.
      output_dir: Folder to write report.json, index.html and contact_sheet.png into; by default
        the name of the dataset's folder with "_inspection" added.
      overwrite: Whether an existing report may be replaced.
      verify_images: "decode" decodes every image, "header" reads its format and size only.
      num_samples: About how many images to show.
      seed: Decides which images are shown.
      num_workers: Threads that read shards; 0 means one per CPU.
    """

    dataset_dir: str | None = None
    output_dir: str | None = None
    overwrite: bool = False
    verify_images: str = "decode"
    num_samples: int = 80
    seed: int = 0
    num_workers: int = 0
