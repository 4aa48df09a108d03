"""Which dataset a program reads; imports no TensorFlow, so that `--help` answers at once."""

import dataclasses

from slim_internal.ground.settings import Settings, setting


@dataclasses.dataclass(frozen=True, kw_only=True)
class DatasetSettings(Settings, subject="Dataset"):
    """The dataset, by its name and its folder."""

    dataset_name: str = setting(
        "imagenet", "Name of the dataset, such as flowers or image_folder.", common=True
    )
    dataset_dir: str | None = setting(
        None, "Folder with the converted dataset.", required=True, common=True
    )
