"""Builds the graph that classifies pictures and writes it with its weights as one frozen file."""

import dataclasses
import pathlib

from google.protobuf import text_format

from deployment import sessions
from slim_internal.ground.compat import tf
from slim_internal.ground.errors import UserError
from slim_internal.ground.files import atomic
from slim_internal.parts.inference import describe, description
from slim_internal.parts.inference import graph as inference_graph
from slim_internal.programs.export import settings as export_config


@dataclasses.dataclass(frozen=True)
class Exported:
    """What an export has written.

    Attributes:
      graph_path: The graph.
      description_path: Its description.
      model: The same description.
      checkpoint_path: The checkpoint whose weights are inside, or None.
    """

    graph_path: pathlib.Path
    description_path: pathlib.Path
    model: description.ModelDescription
    checkpoint_path: str | None


def export(config: export_config.Export) -> Exported:
    """Writes a graph, frozen if there are weights, and its description.

    Raises:
      UserError: If a name is unknown, the checkpoint does not fit or the file cannot be written.
    """
    path = _output_path(config)
    if config.is_video_model and not config.num_frames:
        raise UserError("--is_video_model needs --num_frames, the number of frames of a clip.")
    model = describe.describe(
        config.model_name,
        config.dataset_name,
        config.dataset_dir,
        checkpoint_path=config.checkpoint_path,
        labels_offset=config.labels_offset,
        image_size=config.image_size,
        preprocessing_name=config.preprocessing_name,
        use_grayscale=config.use_grayscale,
        num_frames=config.num_frames,
    )
    graph_def, checkpoint_path = _graph_def(config, model)
    description_path = description.description_path(path)
    contents = {
        description_path: description.encode_description(model),
        path: text_format.MessageToBytes(graph_def)
        if config.write_text_graphdef
        else graph_def.SerializeToString(deterministic=True),
    }
    atomic.write_all(contents)
    return Exported(path, description_path, model, checkpoint_path)


def _output_path(config: export_config.Export) -> pathlib.Path:
    path = pathlib.Path(config.output_file)
    if path.is_dir():
        raise UserError(f"--output_file={path} is a folder; name a file in it: {path / 'model.pb'}")
    if path == description.description_path(path):
        raise UserError(f"--output_file={path}: .json is for the description; use .pb.")
    description.require_no_other_file(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _graph_def(config: export_config.Export, model: description.ModelDescription):
    """Returns the graph to write and the checkpoint whose weights it holds."""
    checkpoint_path = None
    with tf.Graph().as_default() as graph:
        _, predictions = inference_graph.build(model, config.batch_size, config.is_training)
        graph_def = graph.as_graph_def()
        if config.checkpoint_path:
            with tf.Session(config=sessions.config()) as session:
                checkpoint_path = inference_graph.restore_weights(
                    session, config.checkpoint_path, config.moving_average_decay
                )
                graph_def = tf.graph_util.convert_variables_to_constants(
                    session, graph_def, [predictions.op.name]
                )
    # TensorFlow gives no operation a name that differs from another's by its case alone, and some
    # networks have a scope "Predictions".
    for node in graph_def.node:
        if node.name == predictions.op.name:
            node.name = model.predictions_name
    return graph_def, checkpoint_path
