"""What a user can choose about an inspection; imports nothing, for `--help` is not to wait."""

import dataclasses


@dataclasses.dataclass(frozen=True, kw_only=True)
class Inspection:
    """What to look at and where to write what was seen.

    Attributes:
      dataset_dir: Folder of the converted data set.
      output_dir: Folder to write report.json, index.html and contact_sheet.png into; by default
        the name of the data set's folder with "_inspection" added.
      overwrite: Whether a report that is there already may be replaced.
      verify_images: "decode" decodes every picture, "header" reads its format and size only.
      num_samples: About how many pictures to show.
      seed: Decides which pictures are shown.
      num_workers: Threads that read shards; 0 means one per processor.
    """

    dataset_dir: str | None = None
    output_dir: str | None = None
    overwrite: bool = False
    verify_images: str = "decode"
    num_samples: int = 80
    seed: int = 0
    num_workers: int = 0
