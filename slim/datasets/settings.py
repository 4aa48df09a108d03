"""Which dataset a program reads; imports no TensorFlow, so that `--help` answers at once."""

import dataclasses

from slim_internal.ground.settings import Settings, setting


@dataclasses.dataclass(frozen=True, kw_only=True)
class TfrecordSettings(Settings, subject="TFRecords of any origin (--dataset_name=tfrecords)"):
    """The files, where the parts of their examples stand, and the classes."""

    tfrecord_pattern: str | None = setting(
        None,
        "Pattern of the files, such as /data/mine/%s-*.tfrecord, where %s stands for the split; a"
        " relative one starts at --dataset_dir, if that is given.",
    )
    tfrecord_image_key: str | None = setting(
        None, "Feature with the encoded image; image/encoded, or that of TFDS, unless given."
    )
    tfrecord_format_key: str | None = setting(
        None, "Feature with the format of the image; image/format unless given."
    )
    tfrecord_label_key: str | None = setting(
        None, "Feature with the label; image/class/label, or that of TFDS, unless given."
    )
    tfrecord_text_key: str | None = setting(
        None, "Feature with the name of the class; image/class/text unless given."
    )
    tfrecord_num_classes: int | None = setting(
        None,
        "Number of classes; unless given, that of --tfrecord_labels_file, of TFDS, or of labels.txt"
        " beside the files.",
        at_least=1,
    )
    tfrecord_labels_file: str | None = setting(
        None,
        "Text file with the names of the classes: <label>:<name> or only the name on each line, or"
        " a label map of the Object Detection API.",
    )
    tfrecord_label_offset: int = setting(
        0,
        "Subtracted from each stored label, not from the number of classes; 1 where labels are"
        " counted from 1.",
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class DatasetSettings(TfrecordSettings, subject="Dataset"):
    """The dataset, by its name and its folder."""

    dataset_name: str = setting(
        "imagenet",
        "Name of the dataset, such as flowers or image_folder; tfrecords for TFRecords of any"
        " origin.",
        common=True,
    )
    dataset_dir: str | None = setting(
        None,
        "Folder with the converted dataset.",
        required=True,
        unless="tfrecord_pattern",
        common=True,
    )
