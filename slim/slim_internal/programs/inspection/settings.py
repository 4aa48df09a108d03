"""The settings of an inspection; imports no TensorFlow, so that `--help` answers at once."""

import dataclasses

from datasets.settings import TfrecordSettings
from slim_internal.ground.settings import setting


@dataclasses.dataclass(frozen=True, kw_only=True)
class Inspection(TfrecordSettings, subject="Inspection"):
    """What to look at and where to write what was seen."""

    dataset_dir: str | None = setting(
        None, "Folder with the converted dataset.", required=True, unless="tfrecord_pattern"
    )
    dataset_name: str | None = setting(
        None,
        "Name of the dataset; only tfrecords needs it, for TFRecords of any origin. The files tell"
        " all other names.",
    )
    dataset_split_name: str | None = setting(
        None, "With --dataset_name=tfrecords, the splits to look at, separated by commas."
    )
    output_dir: str | None = setting(
        None,
        "Folder to write report.json, index.html and contact_sheet.png into; unless given, the"
        ' name of the dataset\'s folder with "_inspection" added.',
    )
    overwrite: bool = setting(False, "Replace an existing report.")
    verify_images: str = setting(
        "decode",
        "How closely to look at each image: decode it, or read its format and size in the header.",
        choices=("decode", "header"),
    )
    model_name: str | None = setting(
        None,
        "Network whose training input the page previews: some images after its preprocessing and"
        " augmentation.",
    )
    image_size: int | None = setting(
        None,
        "Height and width in pixels of that input; the network's own unless given.",
        at_least=1,
        at_most=4096,
    )
    num_samples: int = setting(80, "About how many images to show.", at_least=0)
    seed: int = setting(0, "Seed of the choice of images to show.")
    num_workers: int = setting(0, "Threads that read shards; 0 means one per CPU.", at_least=0)
