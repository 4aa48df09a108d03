"""The description that stands beside an exported graph, so that it can be used without flags.

`lenet.pb` gets a neighbor `lenet.json` with the names of its tensors, the size of its images, the
preprocessing and the names of its classes; `lenet.pbtxt` gets `lenet.pbtxt.json`. What is read may
have been edited or damaged: each field is checked here, and `formats` compares them with the graph.
"""

import dataclasses
import json
import pathlib
import re
from collections.abc import Callable
from typing import Any

from slim_internal.ground.errors import UserError
from slim_internal.ground.files import json_objects

INPUT_NAME = "input"
PREDICTIONS_NAME = "predictions"

_GRAPH_SUFFIX = ".pb"
# Key in the file, beside the fields of `ModelDescription`: the name of the file that it describes.
_FILE = "graph_file"
_MAX_SIZE = 16_384  # Height and width in pixels; 3 GB for one image.
_MAX_COUNT = 1_000_000
_LONGEST_NAME = 255  # Of a file, in bytes; a character takes one at least.
_OPERATION = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.\\/>-]*")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelDescription:
    """What has to be known to feed a graph and to read what comes out.

    Attributes:
      model_name: Name of the network.
      preprocessing_name: Name of the preprocessing that makes the graph's input of an image.
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
    """Returns where the description of an exported graph stands; no two graphs share one."""
    path = pathlib.Path(graph_path)
    return path.with_name(path.name.removesuffix(_GRAPH_SUFFIX) + ".json")


def require_no_other_file(graph_path: str | pathlib.Path) -> None:
    """Requires that where the description goes stands nothing, or an older description.

    Raises:
      UserError: If another file stands there, or the description of another graph.
    """
    path = description_path(graph_path)
    if path.exists():
        try:
            read_description(graph_path)
        except UserError as error:
            raise UserError(
                f"{path}, where the description of the graph goes, is another file: {error} Choose"
                " another --output_file."
            ) from error


def encode_description(
    model: ModelDescription, graph_name: str = "", *, ascii_only: bool = False
) -> bytes:
    """Returns the contents of the file that describes a graph; names that are no UTF-8 survive.

    Args:
      model: The description.
      graph_name: Name of the file that it stands beside.
      ascii_only: Whether to escape all other characters, for places that take only UTF-8.
    """
    fields = dataclasses.asdict(model) | ({_FILE: graph_name} if graph_name else {})
    text = json.dumps(fields, indent=1, ensure_ascii=ascii_only)
    return f"{text}\n".encode(errors="surrogateescape")


def encode_labels(model: ModelDescription) -> bytes:
    """Returns the names of the classes, one a line, in the order of the predictions."""
    names = [model.class_name(index) for index in range(model.num_classes)]
    return "".join(f"{name}\n" for name in names).encode(errors="surrogateescape")


def read_description(graph_path: str | pathlib.Path) -> ModelDescription:
    """Reads the description that stands beside an exported graph.

    Raises:
      UserError: If it is missing, damaged, or that of another graph.
    """
    path = description_path(graph_path)
    if not path.exists():
        raise UserError(
            f"{path} is missing. export_inference_graph writes it beside the graph; "
            "keep the two files together."
        )
    graph_name = pathlib.Path(graph_path).name
    fields = _fields(path, _contents(path))
    described = fields.pop(_FILE, graph_name)
    if not _is_file_name(described):
        raise _wrong(path, f"{_FILE} must be the name of a file; got {_shown(described)}")
    # `model` and `model.pb` have the same neighbor. Both may have been renamed together.
    if described != graph_name and path.with_name(described).exists():
        raise UserError(f"{path} describes {described}, not {graph_name}.")
    return _checked(path, fields)


def read(path: pathlib.Path) -> ModelDescription:
    """Reads a description that stands alone.

    Raises:
      UserError: If it is missing or damaged.
    """
    return decode(path, _contents(path))


def decode(path: pathlib.Path, content: bytes) -> ModelDescription:
    """Returns the description that a file holds.

    Raises:
      UserError: If it is damaged.
    """
    fields = _fields(path, content)
    fields.pop(_FILE, None)
    return _checked(path, fields)


def _contents(path: pathlib.Path) -> bytes:
    try:
        if path.exists() and not path.is_file():  # A FIFO would be waited for.
            raise UserError(f"Cannot read {path}: it is not a regular file.")
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror}.") from error


def _fields(path: pathlib.Path, content: bytes) -> dict[str, Any]:
    try:
        text = content.decode(errors="surrogateescape")
        fields = json.loads(text, object_pairs_hook=json_objects.unique)
    except RecursionError as error:
        raise _wrong(path, "it is nested too deeply") from error
    except ValueError as error:
        raise _wrong(path, str(error)) from error
    if not isinstance(fields, dict):
        raise _wrong(path, "it holds no fields")
    return fields


def _wrong(path: pathlib.Path, problem: str) -> UserError:
    return UserError(f"{path} does not describe an exported graph: {problem}.")


def _shown(value: Any) -> str:
    return json.dumps(value)[:60]


def _is_integer(maximum: int) -> Callable[[Any], bool]:
    return lambda value: type(value) is int and 1 <= value <= maximum


def _is_name(value: Any) -> bool:
    return json_objects.is_text(value) and value != ""


def _is_file_name(value: Any) -> bool:
    return _is_name(value) and len(value) <= _LONGEST_NAME and pathlib.Path(value).name == value


def _is_operation(value: Any) -> bool:
    return isinstance(value, str) and _OPERATION.fullmatch(value) is not None


def _are_names(value: Any) -> bool:
    return isinstance(value, list) and all(map(json_objects.is_text, value))


_COUNT = (_is_integer(_MAX_COUNT), f"an integer from 1 to {_MAX_COUNT}")
# Field -> what it has to be, as a check and in words.
_RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "model_name": (_is_name, "a name"),
    "preprocessing_name": (_is_name, "a name"),
    "image_size": (_is_integer(_MAX_SIZE), f"an integer from 1 to {_MAX_SIZE}"),
    "channels": _COUNT,
    "num_classes": _COUNT,
    "class_names": (_are_names, "a list of names"),
    "num_frames": (lambda value: value is None or _COUNT[0](value), f"null or {_COUNT[1]}"),
    "input_name": (_is_operation, "the name of an operation"),
    "predictions_name": (_is_operation, "the name of an operation"),
}


def _checked(path: pathlib.Path, fields: dict[str, Any]) -> ModelDescription:
    """Returns the description of which a file holds the fields."""
    for field in dataclasses.fields(ModelDescription):
        if field.name not in fields:
            if field.default is dataclasses.MISSING or field.name == "class_names":
                raise _wrong(path, f"{field.name} is missing")
            continue
        is_right, words = _RULES[field.name]
        if not is_right(fields[field.name]):
            raise _wrong(path, f"{field.name} must be {words}; got {_shown(fields[field.name])}")
    if unknown := sorted(fields.keys() - _RULES.keys()):
        raise _wrong(path, f"it has an unknown field {unknown[0]!r}")
    names, num_classes = fields["class_names"], fields["num_classes"]
    if names and len(names) != num_classes:
        raise _wrong(path, f"it names {len(names)} classes of {num_classes}")
    return ModelDescription(**{**fields, "class_names": tuple(names)})
