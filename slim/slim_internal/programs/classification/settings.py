"""What a user can choose about naming pictures; imports nothing, so that `--help` is quick."""

import dataclasses


@dataclasses.dataclass(frozen=True, kw_only=True)
class Classification:
    """Which network names the pictures, and how the answer is written.

    Attributes:
      graph: A graph written by export_inference_graph; nothing more is needed then.
      model_name: Name of the network, when there is a checkpoint instead of a graph.
      checkpoint_path: A checkpoint, or a folder whose newest one is taken.
      dataset_name: Data set that tells the number of classes and their names.
      dataset_dir: Folder with the converted data set; needed where only its files know the classes.
      labels_offset: Number of classes to leave out at the beginning; 1 for networks without a
        background class (VGG and ResNet v1 on ImageNet).
      image_size: Height and width in pixels; the network's own unless given.
      preprocessing_name: Name of the preprocessing; that of the network unless given.
      use_grayscale: Whether the network reads grey pictures.
      moving_average_decay: Given when training kept moving averages: uses these.
      batch_size: Pictures that go through the network at once; does not change the result.
      top_k: How many classes to name for each picture.
      format: "text", "csv" or "json".
      output_file: File to write the answer to; the terminal unless given.
    """

    graph: str | None = None
    model_name: str | None = None
    checkpoint_path: str | None = None
    dataset_name: str = "imagenet"
    dataset_dir: str = ""
    labels_offset: int = 0
    image_size: int | None = None
    preprocessing_name: str | None = None
    use_grayscale: bool = False
    moving_average_decay: float | None = None
    batch_size: int = 32
    top_k: int = 5
    format: str = "text"
    output_file: str | None = None
