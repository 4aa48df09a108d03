"""The settings of an export; imports no TensorFlow, so that `--help` answers at once."""

import dataclasses

from slim_internal.ground.settings import setting
from slim_internal.parts.inference.settings import GraphSettings


@dataclasses.dataclass(frozen=True, kw_only=True)
class Export(GraphSettings, subject="Graph"):
    """What to export and where to."""

    output_file: str = setting(
        "",
        "File to write, such as model.pb; an older export is replaced only once the new one is"
        " complete. A description that classify_image reads is written beside it.",
        required=True,
    )
    overwrite: bool = setting(False, "Replace a file that is there already and no export.")
    format: str = setting(
        "frozen",
        "Format to write: frozen, saved_model, tflite, tflite_float16, tflite_int8, onnx, ...;"
        " several are separated by commas. onnx needs the extra of that name.",
        common=True,
    )
    checkpoint_path: str | None = setting(
        None,
        "Weights to freeze into the graph: checkpoint, or folder whose newest checkpoint is used."
        " Without it the graph is written with uninitialized variables.",
        common=True,
    )
    calibration_split: str = setting(
        "train", "Split whose images choose the ranges of 8 bits, for tflite_int8."
    )
    calibration_images: int = setting(
        100, "How many of its images choose them, from the first one on.", at_least=1
    )
    batch_size: int | None = setting(
        None, "Fixed batch size of the graph; any number of images unless given.", at_least=1
    )
    is_training: bool = setting(False, "Build the graph as for training.")
    is_video_model: bool = setting(False, "The network reads clips.")
    num_frames: int | None = setting(
        None, "Frames of a clip, for networks that read clips.", at_least=1
    )
    write_text_graphdef: bool = setting(False, "Write the graph as text.")
    write_labels: bool = setting(
        False,
        "Write labels.txt beside the graph: <number>:<name> of each class on a line, in the order"
        " of the predictions.",
    )
    quantize: bool = setting(
        False,
        "Export 8-bit arithmetic in the ranges that --quantize_delay has trained, as frozen or"
        " tflite_int8.",
    )
