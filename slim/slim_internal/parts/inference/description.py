"""The description that stands beside an exported graph, so that it can be used without flags.

`lenet.pb` gets a neighbour `lenet.json` with the names of its ends, the size of its pictures, the
preprocessing and the names of its classes.
"""

import dataclasses
import json
import pathlib

from slim_internal.ground.errors import UserError

INPUT_NAME = "input"
PREDICTIONS_NAME = "predictions"


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelDescription:
    """What has to be known to feed a graph and to read what comes out.

    Attributes:
      model_name: Name of the network.
      preprocessing_name: Name of the preprocessing that makes the graph's input of a picture.
      image_size: Height and width in pixels of the input.
      channels: Channels of the input.
      num_classes: Width of the predictions.
      class_names: Name of each class, in the order of the predictions; empty if not known.
      num_frames: Frames of a clip for a network of clips, else None.
      input_name: Operation to feed, float32 [batch, (frames,) height, width, channels].
      predictions_name: Operation to fetch, float32 [batch, num_classes], rows add up to 1.
    """

    model_name: str
    preprocessing_name: str
    image_size: int
    channels: int
    num_classes: int
    class_names: tuple[str, ...] = ()
    num_frames: int | None = None
    input_name: str = INPUT_NAME
    predictions_name: str = PREDICTIONS_NAME

    @property
    def example_shape(self) -> tuple[int, ...]:
        """Shape of one input, without the batch."""
        frames = () if self.num_frames is None else (self.num_frames,)
        return (*frames, self.image_size, self.image_size, self.channels)

    def class_name(self, index: int) -> str:
        """Name of a class by its place in the predictions."""
        return self.class_names[index] if self.class_names else str(index)


def description_path(graph_path: str | pathlib.Path) -> pathlib.Path:
    """Returns where the description of an exported graph stands."""
    return pathlib.Path(graph_path).with_suffix(".json")


def require_no_other_file(graph_path: str | pathlib.Path) -> None:
    """Requires that where the description goes stands nothing, or an older description.

    Raises:
      UserError: If another file stands there.
    """
    path = description_path(graph_path)
    if path.exists():
        try:
            read_description(graph_path)
        except UserError as error:
            raise UserError(
                f"{path}, where the description of the graph goes, is another file. Choose another "
                "--output_file."
            ) from error


def encode_description(model: ModelDescription) -> bytes:
    """Returns the contents of the file that describes a graph; names that are no UTF-8 survive."""
    text = json.dumps(dataclasses.asdict(model), indent=1, ensure_ascii=False)
    return f"{text}\n".encode(errors="surrogateescape")


def read_description(graph_path: str | pathlib.Path) -> ModelDescription:
    """Reads the description that stands beside an exported graph.

    Raises:
      UserError: If it is missing or is not one of ours.
    """
    path = description_path(graph_path)
    if not path.exists():
        raise UserError(
            f"{path} is missing. export_inference_graph writes it beside the graph; "
            "keep the two files together."
        )
    return read(path)


def read(path: pathlib.Path) -> ModelDescription:
    """Reads a description.

    Raises:
      UserError: If it is missing or is not one of ours.
    """
    try:
        fields = json.loads(path.read_text(encoding="utf-8", errors="surrogateescape"))
        return ModelDescription(**{**fields, "class_names": tuple(fields["class_names"])})
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror}.") from error
    except (TypeError, KeyError, ValueError) as error:
        raise UserError(f"{path} does not describe an exported graph: {error}") from error
