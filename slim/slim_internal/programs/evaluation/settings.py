"""The settings of an evaluation; imports no TensorFlow, so that `--help` answers at once."""

import dataclasses

from slim_internal.ground.settings import setting, take_over
from slim_internal.parts.inference.settings import InferenceSettings


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evaluation(InferenceSettings, subject="Evaluation"):
    """What to evaluate, on which images, and where to write the result."""

    checkpoint_path: str | None = setting(
        "/tmp/tfmodel/",
        "Checkpoint, folder whose newest checkpoint is used, or exported network of any format."
        " Several, separated by commas, are evaluated together, by the mean of their"
        " probabilities.",
        common=True,
        subject="Weights",
    )
    graph: str | None = setting(
        None,
        "Exported network instead of --checkpoint_path; needs no --model_name.",
        subject="Weights",
    )
    best_checkpoint: bool = setting(
        False,
        "Take the best checkpoint that training has kept in the folder, not the newest.",
        subject="Weights",
    )
    all_checkpoints: bool = setting(
        False,
        "Evaluate every checkpoint of the folder, from the oldest to the newest, and draw the"
        " curve.",
        subject="Weights",
    )
    watch: bool = setting(
        False,
        "Evaluate each new checkpoint of a training that is running, until it ends.",
        subject="Weights",
    )
    watch_interval_secs: float = setting(
        10.0, "Seconds between two looks for a new checkpoint.", above=0, subject="Weights"
    )
    compare: str | None = setting(
        None,
        "Folder of an earlier evaluation (--eval_dir), or its predictions.csv: tells which images"
        " became right and which wrong, and whether that is chance.",
    )
    near_duplicates: bool = setting(
        False,
        "Show images that are nearly the same in another split; reads all splits, which takes some"
        " milliseconds for each image.",
    )
    eval_dir: str = setting(
        "/tmp/tfmodel/",
        "Folder for metrics.json, report.html and the TensorBoard summaries.",
        common=True,
    )
    dataset_dir: str | None = setting(
        None,
        "Folder with the converted dataset; that of the run whose checkpoint it is unless given.",
        common=True,
    )
    dataset_split_name: str = setting(
        "test",
        "Split to evaluate on; where the set has no test split, the one that the run evaluated"
        " itself on unless given.",
        common=True,
    )
    eval_image_size: int | None = setting(
        None,
        "Height and width of the images in pixels; the network's own unless given.",
        at_least=1,
        subject="Network",
    )
    image_size: int | None = setting(
        None, "Another name of --eval_image_size.", at_least=1, subject="Network"
    )
    batch_size: int = setting(
        100, "Images that go through the network at once; does not change the result.", at_least=1
    )
    num_crops: int = setting(
        1,
        "Crops of each image whose probabilities are averaged: 1, 10 (the corners and the middle,"
        " and their mirror images) or 144 (four scales, three squares, six crops, and their mirror"
        " images).",
        subject="Network",
    )
    flip: bool = setting(
        False,
        "Average over each crop and its mirror image; 10 and 144 crops do so anyway.",
        subject="Network",
    )
    eval_scales: str | None = setting(
        None,
        "Comma-separated lengths in pixels of the shorter side; crops are taken at each, and their"
        " probabilities averaged.",
        subject="Network",
    )
    crop_fraction: float | None = setting(
        None,
        "Fraction of height and width that the one crop takes; 0.875 for the published weights.",
        above=0,
        at_most=1,
        subject="Network",
    )
    top_k: int | None = setting(
        None,
        "Number of most likely classes in predictions.csv, and k of a further recall at k; 5, or"
        " the number of classes if that is less, unless given.",
        at_least=1,
    )
    max_num_batches: int | None = setting(
        None, "Batches after which to stop; all of the split unless given.", at_least=1
    )
    num_preprocessing_threads: int | None = setting(
        None, "Images to decode and prepare in parallel; one per CPU unless given.", at_least=1
    )
    fast_decoding: bool = setting(
        False,
        "Decode JPEG files at 1/2, 1/4 or 1/8 of their size where that is as large as the network"
        " needs: faster for photographs of megapixels, whose pixels then differ a little.",
    )
    master: str = setting(
        "", "Address of the TensorFlow server.", unsupported="an evaluation runs in one process"
    )
    quantize: bool = setting(
        False,
        "Simulate 8-bit arithmetic, for a checkpoint that was trained with --quantize_delay.",
    )

    def __post_init__(self):
        super().__post_init__()
        take_over(self, "eval_image_size", "image_size")
