"""The settings of an evaluation; imports no TensorFlow, so that `--help` answers at once."""

import dataclasses

from slim_internal.ground.settings import setting
from slim_internal.parts.inference.settings import InferenceSettings


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evaluation(InferenceSettings, subject="Evaluation"):
    """What to evaluate, on which images, and where to write the result."""

    checkpoint_path: str = "/tmp/tfmodel/"
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
    batch_size: int = setting(
        100, "Images that go through the network at once; does not change the result.", at_least=1
    )
    max_num_batches: int | None = setting(
        None, "Batches after which to stop; all of the split unless given.", at_least=1
    )
    num_preprocessing_threads: int = setting(
        4, "Images to decode and prepare in parallel.", at_least=1
    )
    master: str = setting(
        "", "Address of the TensorFlow server.", unsupported="an evaluation runs in one process"
    )
    quantize: bool = setting(
        False,
        "Simulate 8-bit arithmetic.",
        unsupported="weights are evaluated as they are stored",
    )
