"""A SavedModel: a folder that TensorFlow, Keras and TF Serving read without this project.

Two signatures lead through one network: `serving_default` takes preprocessed images, `bytes` takes
the contents of image files and prepares them itself.
"""

import contextlib
import pathlib
from collections.abc import Iterator

from google.protobuf.message import DecodeError

from deployment import sessions
from preprocessing import channels, preprocessing_factory
from slim_internal.ground.compat import tf
from slim_internal.ground.errors import UserError, raise_if_out_of_memory
from slim_internal.ground.files import atomic, space
from slim_internal.parts.inference import description
from slim_internal.parts.inference.formats.format import Format, Frozen, Predictor, require_fit

_DESCRIPTION = pathlib.Path("assets.extra", "model.json")  # TF Serving leaves this folder alone.
_IMAGES = "serving_default"
_TOP_K = 5


class SavedModel(Format):
    """The frozen network with signatures; no variables, so that every loader takes it."""

    name = "saved_model"
    suffix = "_saved_model"
    is_folder = True

    def write(self, network: Frozen, folder: pathlib.Path, name: str) -> None:
        """Writes the folder; the description is in it."""
        path = folder / name
        with tf.Graph().as_default(), tf.Session(config=sessions.config()) as session:
            signatures = _signatures(network)
            builder = tf.saved_model.Builder(str(path))
            builder.add_meta_graph_and_variables(
                session,
                [tf.saved_model.tag_constants.SERVING],
                signature_def_map=signatures,
                strip_default_attrs=True,
                clear_devices=True,
            )
            try:
                builder.save()
            except tf.errors.OpError as error:
                raise space.from_message(str(error), path) or error from error
        (path / _DESCRIPTION).parent.mkdir()
        atomic.write(path / _DESCRIPTION, description.encode_description(network.model))

    def recognizes(self, path: pathlib.Path) -> bool:
        """Returns whether it is a folder with a SavedModel."""
        return (path / "saved_model.pb").is_file()

    def describe(self, path: pathlib.Path) -> description.ModelDescription:
        """Returns the description in the folder."""
        return description.read(path / _DESCRIPTION)

    @contextlib.contextmanager
    def open(self, path: pathlib.Path) -> Iterator[Predictor]:
        """Opens the signature of preprocessed images in a session of its own."""
        model = self.describe(path)
        with tf.Graph().as_default(), tf.Session(config=sessions.constants_config()) as session:
            try:
                meta_graph = tf.saved_model.load(
                    session, [tf.saved_model.tag_constants.SERVING], str(path)
                )
            except (OSError, RuntimeError, ValueError, tf.errors.OpError, DecodeError) as error:
                raise_if_out_of_memory(error)
                problem = str(error).splitlines()[0]
                raise UserError(f"The SavedModel {path} cannot be read: {problem}") from error
            images, probabilities = _tensors(path, session.graph, meta_graph)
            require_fit(model, images.shape, probabilities.shape)
            predict = session.make_callable(probabilities, [images])
            yield Predictor(model, images.shape[0].value, predict)


def _tensors(
    path: pathlib.Path, graph: tf.Graph, meta_graph: tf.MetaGraphDef
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns images and probabilities of the signature of preprocessed images."""
    try:
        signature = meta_graph.signature_def[_IMAGES]
        names = signature.inputs["images"].name, signature.outputs["probabilities"].name
        images, probabilities = map(graph.get_tensor_by_name, names)
    except (KeyError, ValueError) as error:
        raise UserError(
            f"{path} is not a SavedModel that export_inference_graph wrote: it has no signature"
            f" {_IMAGES!r} from 'images' to 'probabilities'."
        ) from error
    return images, probabilities


FORMATS = (SavedModel(),)


def _signatures(network: Frozen) -> dict[str, tf.MetaGraphDef.SignatureDefEntry]:
    """Builds the network into the current graph and returns its signatures."""
    model = network.model
    shape = (network.batch_size, *model.example_shape)
    encoded = None
    if model.num_frames is None and model.channels in channels.OF_FILES:
        encoded = tf.placeholder(tf.string, [network.batch_size], name="image_bytes")
        images = tf.placeholder_with_default(_prepared(model, encoded), shape, model.input_name)
    else:  # No file format for clips is read anywhere, and none has other channels.
        images = tf.placeholder(tf.float32, shape, model.input_name)
    (probabilities,) = tf.import_graph_def(
        network.graph_def,
        {f"{model.input_name}:0": images},
        [f"{model.predictions_name}:0"],
        name="network",
    )
    top = tf.math.top_k(probabilities, min(_TOP_K, model.num_classes))
    names = tf.constant([model.class_name(index) for index in range(model.num_classes)])
    outputs = {
        "probabilities": tf.identity(probabilities, name=model.predictions_name),
        "top_classes": tf.gather(names, top.indices),
        "top_probabilities": top.values,
    }
    build = tf.saved_model.predict_signature_def
    signatures = {_IMAGES: build({"images": images}, outputs)}
    if encoded is not None:
        # Clients of TF Serving send bytes as base64 to inputs whose name ends so.
        signatures["bytes"] = build({"image_bytes": encoded}, outputs)
    return signatures


def _prepared(model: description.ModelDescription, encoded: tf.Tensor) -> tf.Tensor:
    """Returns the network's input for the contents of image files, string [batch]."""
    preprocess = preprocessing_factory.for_channels(model.preprocessing_name, model.channels)

    def prepare(content: tf.Tensor) -> tf.Tensor:
        image = channels.decode(content, model.channels)
        return preprocess(image, model.image_size, model.image_size)

    return tf.map_fn(prepare, encoded, fn_output_signature=tf.float32)
