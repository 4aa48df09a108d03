"""TensorFlow Lite: one file for phones and small computers, with its description inside.

The output are logits, not probabilities: in 8 bits a softmax of many classes is zero nearly
everywhere. The file is a zip archive at the same time, with `labels.txt` and `model.json`.
"""

import contextlib
import io
import pathlib
import re
import warnings
import zipfile
from collections.abc import Iterator, Sequence

import numpy as np

from deployment import sessions
from slim_internal.ground.compat import grappler, tf
from slim_internal.ground.errors import UserError
from slim_internal.ground.files import atomic
from slim_internal.parts.inference import description
from slim_internal.parts.inference.formats.format import (
    Format,
    Frozen,
    Predictor,
    first_line,
    require_fit,
)
from slim_internal.parts.quantization import simulation

_DESCRIPTION = "model.json"
_LABELS = "labels.txt"  # Where tools for TensorFlow Lite look for the names of classes.
_MAGIC = b"TFL3"  # After the first four bytes.


class TFLite(Format):
    """Weights of 32 bits; takes one image at a time."""

    name = "tflite"
    suffix = ".tflite"

    def write(self, network: Frozen, folder: pathlib.Path, name: str) -> None:
        """Writes the file; the description is in it."""
        model = network.model
        ends = (model.input_name, model.example_shape, network.logits_name)
        content = io.BytesIO(self.convert(network, self.graph(network), *ends, model.model_name))
        with zipfile.ZipFile(content, "a") as archive:  # Readers of either kind ignore the other.
            for entry, text in (
                (_DESCRIPTION, description.encode_description(model)),
                (_LABELS, description.encode_labels(model)),
            ):
                archive.writestr(zipfile.ZipInfo(entry), text)
        atomic.write(folder / name, content.getvalue())

    def graph(self, network: Frozen) -> tf.GraphDef:
        """Returns the graph to convert."""
        return network.graph_def

    def prepare(self, converter: tf.lite.TFLiteConverter, network: Frozen) -> None:
        """Chooses how weights and arithmetic are stored."""

    def recognizes(self, path: pathlib.Path) -> bool:
        """Returns whether it is a file that is named so, or begins as this format does."""
        if not path.is_file():
            return False
        if path.suffix == TFLite.suffix:  # A damaged one, too.
            return True
        with open(path, "rb") as file:
            return file.read(8)[4:] == _MAGIC

    def describe(self, path: pathlib.Path) -> description.ModelDescription:
        """Returns the description in the archive."""
        return _described(path, path.read_bytes())

    @contextlib.contextmanager
    def open(self, path: pathlib.Path) -> Iterator[Predictor]:
        """Opens the file in an interpreter of its own."""
        content = path.read_bytes()
        model = _described(path, content)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # It names the distribution that will replace it.
                interpreter = tf.lite.Interpreter(model_content=content)
            interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise UserError(f"{path} cannot be used: {first_line(error)}") from error
        (images,), (logits,) = interpreter.get_input_details(), interpreter.get_output_details()
        require_fit(model, images["shape"].tolist(), logits["shape"].tolist())

        def predict(batch: np.ndarray) -> np.ndarray:
            interpreter.set_tensor(images["index"], batch.astype(np.float32, copy=False))
            interpreter.invoke()
            return _softmax(interpreter.get_tensor(logits["index"]))

        yield Predictor(model, 1, predict)

    def convert(
        self,
        network: Frozen,
        graph_def: tf.GraphDef,
        input_name: str,
        shape: Sequence[int],
        output_name: str,
        title: str,
    ) -> bytes:
        """Returns a graph without variables in this format, for one example at a time.

        Args:
          network: What it is a graph of; has the images that 8 bits are calibrated on.
          graph_def: The graph.
          input_name: Operation that is fed, float32.
          shape: Shape of an example.
          output_name: Operation that is fetched.
          title: Name of the network.

        Raises:
          UserError: If the converter knows no operation for one of the graph's.
        """
        with tf.Graph().as_default(), tf.Session(config=sessions.cpu_config()) as session:
            example = tf.placeholder(tf.float32, (1, *shape), input_name)
            # A name of its own: that of an end point may differ from it by its case alone.
            (output,) = tf.import_graph_def(
                tf.graph_util.extract_sub_graph(graph_def, [output_name]),
                {f"{input_name}:0": example},
                [f"{output_name}:0"],
                name="network",
            )
            try:
                with grappler.for_cpu():
                    converter = tf.lite.TFLiteConverter.from_session(session, [example], [output])
                    self.prepare(converter, network)
                    return converter.convert()
            except Exception as error:  # The converter has no class of errors of its own.
                raise UserError(
                    f"{title} cannot be written as --format={self.name}: {_cause(error)}"
                ) from error


class TFLiteFloat16(TFLite):
    """Weights of 16 bits: half the size."""

    name = "tflite_float16"
    suffix = "_float16.tflite"
    tolerance = None
    agreement = 0.98

    def prepare(self, converter: tf.lite.TFLiteConverter, network: Frozen) -> None:
        """Stores weights in 16 bits."""
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]


class TFLiteInt8(TFLite):
    """Weights and arithmetic of 8 bits; input and output stay float32."""

    name = "tflite_int8"
    suffix = "_int8.tflite"
    tolerance = None
    needs_examples = True
    takes_quantized = True

    def graph(self, network: Frozen) -> tf.GraphDef:
        """Returns the graph; its weights are left to the converter to round."""
        if network.quantized:
            return simulation.without_rounded_weights(network.graph_def)
        return network.graph_def

    def prepare(self, converter: tf.lite.TFLiteConverter, network: Frozen) -> None:
        """Takes the ranges of all layers from training, or from images of the dataset."""
        if network.quantized:
            converter.inference_type = tf.int8
            converter.inference_input_type = converter.inference_output_type = tf.float32
            # It asks for a mean and a standard deviation, but takes the input's range in the graph.
            converter.quantized_input_stats = {network.model.input_name: (0.0, 1.0)}
            return
        probe = network.probe
        images = probe.images if probe.calibration is None else probe.calibration
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([image[np.newaxis]] for image in images)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]


FORMATS = (TFLite(), TFLiteFloat16(), TFLiteInt8())


def _described(path: pathlib.Path, content: bytes) -> description.ModelDescription:
    """Returns the description in the archive that a file also is."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            text = archive.read(_DESCRIPTION)
    except (EOFError, KeyError, RuntimeError, ValueError, zipfile.BadZipFile) as error:
        raise UserError(
            f"{path} holds no description: it is damaged, or export_inference_graph did not"
            " write it."
        ) from error
    return description.decode(path / _DESCRIPTION, text)


def _softmax(logits: np.ndarray) -> np.ndarray:
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def _cause(error: Exception) -> str:
    """Returns what a converter says of the operation that it does not know, else its first line."""
    if named := re.search(r"'\S+' op is neither.*", str(error)):
        return named[0][:300]
    return first_line(error)
