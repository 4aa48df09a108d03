"""What a user can choose about an evaluation; imports nothing, so that `--help` answers at once."""

import dataclasses


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What to evaluate, on which pictures, and where to write the result.

    Attributes:
      checkpoint_path: A checkpoint, or a folder whose newest one is taken.
      eval_dir: Folder for metrics.json and the TensorBoard summaries.
      dataset_name: Name of the data set.
      dataset_dir: Folder with the converted data set.
      dataset_split_name: Split to evaluate on.
      model_name: Name of the network.
      preprocessing_name: Name of the preprocessing; that of the network unless given.
      eval_image_size: Height and width in pixels; the network's own unless given.
      use_grayscale: Whether to turn colour into grey.
      labels_offset: Subtracted from each label; 1 for networks without a background class (VGG
        and ResNet v1 on ImageNet).
      batch_size: Pictures that go through the network at once; does not change the result.
      max_num_batches: Batches after which to stop; all of the split unless given.
      moving_average_decay: Given when training kept moving averages: evaluates these instead of
        the weights of the last step.
      num_preprocessing_threads: Pictures to decode at the same time.
      master: Not supported: an evaluation runs in one process.
      quantize: Not supported yet: evaluates weights as they are stored.
    """

    checkpoint_path: str = "/tmp/tfmodel/"
    eval_dir: str = "/tmp/tfmodel/"
    dataset_name: str = "imagenet"
    dataset_dir: str | None = None
    dataset_split_name: str = "test"
    model_name: str = "inception_v3"
    preprocessing_name: str | None = None
    eval_image_size: int | None = None
    use_grayscale: bool = False
    labels_offset: int = 0
    batch_size: int = 100
    max_num_batches: int | None = None
    moving_average_decay: float | None = None
    num_preprocessing_threads: int = 4
    master: str = ""
    quantize: bool = False
