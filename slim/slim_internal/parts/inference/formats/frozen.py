"""A frozen graph: one file with graph and weights, and its description beside it."""

import contextlib
import pathlib
from collections.abc import Iterator, Mapping

from google.protobuf import message, text_format

from deployment import sessions
from slim_internal.ground.compat import tf
from slim_internal.ground.errors import UserError, raise_if_out_of_memory, unknown
from slim_internal.ground.files import atomic
from slim_internal.parts.inference import description
from slim_internal.parts.inference.formats.format import Format, Frozen, Predictor, require_fit

_INPUTS = ("Placeholder", "PlaceholderWithDefault")
_VARIABLES = ("VariableV2", "VarHandleOp")


class FrozenGraph(Format):
    """The graph as a protocol buffer, binary or as text."""

    name = "frozen"
    suffix = ".pb"
    needs_weights = False
    takes_quantized = True

    def write(self, network: Frozen, folder: pathlib.Path, name: str) -> None:
        """Writes the graph and its description."""
        path = folder / name
        atomic.write_all(
            {
                description.description_path(path): description.encode_description(
                    network.model, name
                ),
                path: text_format.MessageToBytes(network.graph_def)
                if network.as_text
                else network.graph_def.SerializeToString(deterministic=True),
            }
        )

    def recognizes(self, path: pathlib.Path) -> bool:
        """Returns whether it is a file that is named like a graph."""
        return path.suffix in (".pb", ".pbtxt") and path.is_file()

    def is_export(self, path: pathlib.Path) -> bool:
        """Returns whether it has a description, or is a graph such as TensorFlow 1 wrote alone."""
        try:
            return super().is_export(path) or bool(_parse(path, path.read_bytes()))
        except (OSError, UserError):
            return False

    @contextlib.contextmanager
    def open(self, path: pathlib.Path) -> Iterator[Predictor]:
        """Opens a graph in a session of its own."""
        with open_graph(self.describe(path), read(path)) as predictor:
            yield predictor


@contextlib.contextmanager
def open_graph(model: description.ModelDescription, graph_def: tf.GraphDef) -> Iterator[Predictor]:
    """Opens a graph that was read from whatever file, in a session of its own."""
    _require_tensors(model, graph_def)
    with tf.Graph().as_default(), tf.Session(config=sessions.constants_config()) as session:
        try:
            images, predictions = tf.import_graph_def(
                graph_def,
                return_elements=[f"{model.input_name}:0", f"{model.predictions_name}:0"],
                name="",
            )
        except ValueError as error:
            problem = str(error).splitlines()[0]
            raise UserError(f"The graph cannot be used: {problem}") from error
        require_fit(model, images.shape, predictions.shape)
        predict = session.make_callable(predictions, [images])
        yield Predictor(model, images.shape[0].value, predict)


def _require_tensors(model: description.ModelDescription, graph_def: tf.GraphDef) -> None:
    """Requires that the operations exist, and that images lead to predictions."""
    nodes = {node.name: node for node in graph_def.node}
    inputs = [name for name, node in nodes.items() if node.op in _INPUTS]
    if model.input_name not in inputs:
        raise unknown("input of the graph, named by its description,", model.input_name, inputs)
    if model.predictions_name in inputs or model.input_name not in _above(
        nodes, model.predictions_name
    ):
        raise UserError(
            "The description of the graph does not fit it: its predictions_name is"
            f" {model.predictions_name!r}, which is no operation that depends on"
            f" {model.input_name!r}."
        )


def _above(nodes: Mapping[str, tf.NodeDef], name: str) -> set[str]:
    """Returns the operations that have to run to compute one of them, none if it does not exist."""
    found: set[str] = set()
    pending = [name]
    while pending:
        operation = pending.pop().removeprefix("^").partition(":")[0]
        if operation in nodes and operation not in found:
            found.add(operation)
            pending += nodes[operation].input
    return found


FORMATS = (FrozenGraph(),)


def read(path: pathlib.Path) -> tf.GraphDef:
    """Reads a graph with weights.

    Raises:
      UserError: If it cannot be read, is no graph, or holds no weights.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"Cannot read the graph {path}: {error.strerror}.") from error
    return parse(path, content)


def parse(path: pathlib.Path, content: bytes) -> tf.GraphDef:
    """Returns the graph with weights that a file holds; its name says whether it is text.

    Raises:
      UserError: If it is no graph, or holds no weights.
    """
    graph_def = _parse(path, content)
    if any(node.op in _VARIABLES for node in graph_def.node):
        raise UserError(f"{path} holds no weights: export it again with --checkpoint_path.")
    return graph_def


def _parse(path: pathlib.Path, content: bytes) -> tf.GraphDef:
    graph_def = tf.GraphDef()
    try:
        if path.suffix == ".pbtxt":
            text_format.Parse(content, graph_def)
        else:
            graph_def.ParseFromString(content)
    except (message.DecodeError, text_format.ParseError, UnicodeDecodeError) as error:
        raise_if_out_of_memory(error)
        raise _not_a_graph(path) from error
    if not graph_def.node:  # An empty file is a graph, too.
        raise _not_a_graph(path)
    return graph_def


def _not_a_graph(path: pathlib.Path) -> UserError:
    return UserError(
        f"{path} is not a graph that export_inference_graph wrote without --write_text_graphdef."
    )
