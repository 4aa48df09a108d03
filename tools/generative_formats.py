"""Writes the generators of the generative networks in every format, and reads them again.

No program trains or exports these networks, so that no description belongs to them; the converters
are those of the formats. `measure_formats` keeps the numbers.
"""

import pathlib
import tempfile
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from nets import cyclegan, dcgan, pix2pix
from slim_internal.ground.compat import extras, slim, tf
from slim_internal.ground.errors import UserError
from slim_internal.parts.inference.formats import onnx, table, tflite
from slim_internal.parts.inference.formats.format import Frozen, Probe
from tests.nets import golden_weights

_EXAMPLES = 2
_INPUT, _OUTPUT = "input", "image"


def _pix2pix(images: tf.Tensor) -> tf.Tensor:
    """Builds it without dropout, its only noise: nothing could be compared otherwise."""
    blocks = [pix2pix.Block(size, 0.0) for size in (64, 128, 256, 512, 512, 512, 512)]
    with slim.arg_scope(pix2pix.pix2pix_arg_scope()):
        return pix2pix.pix2pix_generator(images, 3, blocks)[1]["predictions"]


# Name -> shape of an input, height and width of the image that comes out, function that builds it.
GENERATORS: dict[str, tuple[tuple[int, ...], int, Callable[[tf.Tensor], tf.Tensor]]] = {
    "cyclegan_generator_resnet": (
        (128, 128, 3),
        128,
        lambda images: cyclegan.cyclegan_generator_resnet(images)[0],
    ),
    "dcgan_generator": ((64,), 32, lambda noise: dcgan.generator(noise, is_training=False)[0]),
    "pix2pix_generator": ((256, 256, 3), 256, _pix2pix),
}


def _frozen(name: str) -> Frozen:
    """Returns a generator with the weights that follow from the names of its variables."""
    shape, _, build = GENERATORS[name]
    with tf.Graph().as_default() as graph, tf.Session() as session:
        inputs = tf.placeholder(tf.float32, (None, *shape), _INPUT)
        image = tf.identity(build(inputs), _OUTPUT)
        golden_weights.assign(session, tf.global_variables())
        examples = golden_weights.images([_EXAMPLES, *shape])
        expected = session.run(image, {inputs: examples})
        graph_def = tf.graph_util.convert_variables_to_constants(
            session, graph.as_graph_def(), [_OUTPUT]
        )
    return Frozen(
        model=None, graph_def=graph_def, checkpoint_path=None, probe=Probe(examples, expected)
    )


def _frozen_graph(network: Frozen, path: pathlib.Path) -> np.ndarray:
    path.write_bytes(network.graph_def.SerializeToString(deterministic=True))
    with tf.Graph().as_default(), tf.Session() as session:
        tf.import_graph_def(tf.GraphDef.FromString(path.read_bytes()), name="")
        return session.run(f"{_OUTPUT}:0", {f"{_INPUT}:0": network.probe.images})


def _saved_model(network: Frozen, path: pathlib.Path) -> np.ndarray:
    with tf.Graph().as_default() as graph, tf.Session() as session:
        tf.import_graph_def(network.graph_def, name="")
        ends = ({name: graph.get_tensor_by_name(f"{name}:0")} for name in (_INPUT, _OUTPUT))
        tf.saved_model.simple_save(session, str(path), *ends)
    with tf.Graph().as_default(), tf.Session() as session:
        tf.saved_model.load(session, [tf.saved_model.tag_constants.SERVING], str(path))
        return session.run(f"{_OUTPUT}:0", {f"{_INPUT}:0": network.probe.images})


def _onnx(network: Frozen, path: pathlib.Path) -> np.ndarray:
    proto = onnx.convert(network.graph_def, _INPUT, _OUTPUT, path.stem)
    path.write_bytes(proto.SerializeToString(deterministic=True))
    runtime = extras.load("onnx", "onnxruntime", str(path))
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run([_OUTPUT], {_INPUT: network.probe.images})[0]


def _tflite(network: Frozen, path: pathlib.Path, each: tflite.TFLite) -> np.ndarray:
    ends = (_INPUT, network.probe.images.shape[1:], _OUTPUT)
    path.write_bytes(each.convert(network, network.graph_def, *ends, path.stem))
    interpreter = tf.lite.Interpreter(str(path))
    interpreter.allocate_tensors()
    (fed,), (fetched,) = interpreter.get_input_details(), interpreter.get_output_details()
    images = []
    for example in network.probe.images:
        interpreter.set_tensor(fed["index"], example[np.newaxis])
        interpreter.invoke()
        images.append(interpreter.get_tensor(fetched["index"])[0])
    return np.stack(images)


_WRITERS = {"frozen": _frozen_graph, "onnx": _onnx, "saved_model": _saved_model}


def measure(name: str, formats: Sequence[str]) -> Iterator[dict]:
    """Yields what is known of a generator in each format, as the fields of a table's entry.

    The difference is the largest one of two pixels, by the standard deviation of all.

    Args:
      name: Name of the generator.
      formats: Names of the formats.
    """
    network = _frozen(name)
    expected = network.probe.probabilities
    for each in map(table.get_format, formats):
        facts = {"network": name, "image_size": str(GENERATORS[name][1]), "format": each.name}
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, f"{name}{each.suffix}")
            try:
                if isinstance(each, tflite.TFLite):
                    image = _tflite(network, path, each)
                else:
                    image = _WRITERS[each.name](network, path)
            except UserError as error:
                yield facts | {"problem": " ".join(str(error).split())}
                continue
            files = [file for file in (path, *path.rglob("*")) if file.is_file()]
            yield facts | {
                "megabytes": f"{sum(file.stat().st_size for file in files) / 1e6:.1f}",
                "difference": f"{np.abs(image - expected).max() / expected.std():.0e}",
            }
