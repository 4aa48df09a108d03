"""What a user can choose about an export; imports nothing, so that `--help` answers at once."""

import dataclasses


@dataclasses.dataclass(frozen=True, kw_only=True)
class Export:
    """What to export and where to.

    Attributes:
      output_file: File to write; it is replaced only once the new one is complete. A description
        that classify_image reads is written beside it.
      checkpoint_path: Weights to freeze into the graph: a checkpoint, or a folder whose newest one
        is taken. Without it the graph is written with uninitialised variables.
      model_name: Name of the network.
      dataset_name: Data set that tells the number of classes and their names.
      dataset_dir: Folder with the converted data set; needed where only its files know the classes.
      labels_offset: Number of classes to leave out at the beginning; 1 for networks without a
        background class (VGG and ResNet v1 on ImageNet).
      image_size: Height and width in pixels; the network's own unless given.
      preprocessing_name: Name of the preprocessing; that of the network unless given.
      use_grayscale: Whether the network reads grey pictures.
      moving_average_decay: Given when training kept moving averages: exports these instead of the
        weights of the last step.
      batch_size: Fixes the batch size; open unless given.
      is_training: Whether to build the graph as for training.
      is_video_model: Whether the network reads clips.
      num_frames: Frames of a clip, for networks that read clips.
      write_text_graphdef: Whether to write the graph as text.
      quantize: Not supported yet.
    """

    output_file: str = ""
    checkpoint_path: str | None = None
    model_name: str = "inception_v3"
    dataset_name: str = "imagenet"
    dataset_dir: str = ""
    labels_offset: int = 0
    image_size: int | None = None
    preprocessing_name: str | None = None
    use_grayscale: bool = False
    moving_average_decay: float | None = None
    batch_size: int | None = None
    is_training: bool = False
    is_video_model: bool = False
    num_frames: int | None = None
    write_text_graphdef: bool = False
    quantize: bool = False
