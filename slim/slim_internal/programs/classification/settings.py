"""The settings of a classification; imports no TensorFlow, so that `--help` answers at once."""

import dataclasses

from slim_internal.ground.settings import setting
from slim_internal.parts.inference.settings import GraphSettings


@dataclasses.dataclass(frozen=True, kw_only=True)
class Classification(GraphSettings, subject="Answer"):
    """Which network classifies the images, and how the answer is written."""

    graph: str | None = setting(
        None, "Graph written by export_inference_graph; needs no other flag.", common=True
    )
    model_name: str | None = setting(
        None, "Name of the network, for a checkpoint instead of a graph."
    )
    batch_size: int = setting(
        32, "Images that go through the network at once; does not change the result.", at_least=1
    )
    top_k: int = setting(5, "Number of most likely classes to name for each image.", at_least=1)
    format: str = setting("text", "Format of the answer.", choices=("text", "csv", "json"))
    output_file: str | None = setting(
        None, "File to write the answer to; the terminal unless given."
    )
    page: str | None = setting(
        None, "HTML file to write as well: thumbnails of the images with their answers."
    )
    grad_cam: bool = setting(
        False, "Show on the --page where the network looks (Grad-CAM); takes a graph or checkpoint."
    )
    end_point: str | None = setting(
        None,
        "Layer whose features are written instead of answers, such as Mixed_7c or"
        " Conv2d_13_pointwise; --output_file=NAME.npy gets the array, NAME.csv the file of each"
        " row.",
    )
