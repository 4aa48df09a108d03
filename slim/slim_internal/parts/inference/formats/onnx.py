"""ONNX: one file for the runtimes of many makers, with its description inside.

It is written by tf2onnx and read by ONNX Runtime, which both belong to the extra `onnx`. Tensors
are named as in the graph, images stay [batch, height, width, channels], and the properties of the
model hold `model.json` and `labels.txt`.
"""

import contextlib
import gc
import logging
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError

from slim_internal.ground.compat import extras, grappler, tf
from slim_internal.ground.errors import UserError, raise_if_out_of_memory
from slim_internal.ground.files import atomic
from slim_internal.parts.inference import description
from slim_internal.parts.inference.formats.format import (
    Format,
    Frozen,
    Predictor,
    first_line,
    require_fit,
)

_DESCRIPTION = "model.json"
_LABELS = "labels.txt"
# The version of the operators that today's runtimes know; a newer one would shut out older ones.
_OPSET = 18
_LARGEST = 2**31 - 1  # Bytes of a protocol buffer.
# Bytes of a constant above which the conversion does not see it: tf2onnx copies the graph two or
# three times for each of its optimizations, which took 40 times the memory of the weights.
_HELD_OUT = 2**24


class Onnx(Format):
    """The frozen network as a graph of ONNX operators, float32."""

    name = "onnx"
    suffix = ".onnx"
    extra = "onnx"
    modules = ("tf2onnx.convert", "onnx.checker", "onnxruntime")

    def write(self, network: Frozen, folder: pathlib.Path, name: str) -> None:
        """Writes the file; the description is in it."""
        model = network.model
        proto = convert(
            network.graph_def, model.input_name, model.predictions_name, model.model_name
        )
        for key, value in (
            (_DESCRIPTION, description.encode_description(model, ascii_only=True).decode()),
            (_LABELS, description.encode_labels(model).decode(errors="replace")),
        ):
            proto.metadata_props.add(key=key, value=value)
        if proto.ByteSize() > _LARGEST:
            raise UserError(f"{model.model_name} is too large for one ONNX file: above 2 GB.")
        atomic.write(folder / name, proto.SerializeToString(deterministic=True))

    def recognizes(self, path: pathlib.Path) -> bool:
        """Returns whether it is a file that is named so."""
        return path.suffix == self.suffix and path.is_file()

    def describe(self, path: pathlib.Path) -> description.ModelDescription:
        """Returns the description among the properties of the model."""
        proto = extras.load(self.extra, "onnx", str(path)).ModelProto()
        try:
            proto.ParseFromString(_read(path))
        except DecodeError as error:
            raise_if_out_of_memory(error)
            raise UserError(f"{path} cannot be used: it is no ONNX model, or damaged.") from error
        return _described(path, {each.key: each.value for each in proto.metadata_props})

    @contextlib.contextmanager
    def open(self, path: pathlib.Path) -> Iterator[Predictor]:
        """Opens the file in ONNX Runtime, on the CPU."""
        runtime = extras.load(self.extra, "onnxruntime", str(path))
        content = _read(path)
        options = runtime.SessionOptions()
        options.log_severity_level = 3  # Errors; warnings are about its own optimizations.
        try:
            session = runtime.InferenceSession(content, options, ["CPUExecutionProvider"])
            properties = session.get_modelmeta().custom_metadata_map
        except Exception as error:  # Its classes of errors have nothing else in common.
            raise UserError(f"{path} cannot be used: {first_line(error)}") from error
        model = _described(path, properties)
        images, predictions = _tensors(path, session, model)
        require_fit(model, _sizes(images), _sizes(predictions))

        def predict(batch: np.ndarray) -> np.ndarray:
            fed = {images.name: batch.astype(np.float32, copy=False)}
            return session.run([predictions.name], fed)[0]

        yield Predictor(model, _sizes(images)[0], predict)


FORMATS = (Onnx(),)


def convert(graph_def: tf.GraphDef, input_name: str, output_name: str, title: str) -> Any:
    """Returns a graph as `onnx.ModelProto`, with these two operations as names of its tensors.

    Args:
      graph_def: The graph, without variables.
      input_name: Operation that is fed.
      output_name: Operation that is fetched.
      title: Name of the network.

    Raises:
      UserError: If tf2onnx is missing, or knows no operator for one of the graph's.
    """
    converter = extras.load(Onnx.extra, "tf2onnx.convert", f"--format={Onnx.name}")
    numpy_helper = extras.load(Onnx.extra, "onnx.numpy_helper", f"--format={Onnx.name}")
    names = {f"{name}:0": name for name in (input_name, output_name)}
    small, large = _without_large(graph_def)
    log = logging.getLogger("tf2onnx")
    level = log.level
    log.setLevel(logging.CRITICAL)  # What is wrong is raised, too.
    try:
        with grappler.for_cpu():
            proto, _ = converter.from_graph_def(
                small,
                input_names=[f"{name}:0" for name in (input_name, *large)],
                output_names=[f"{output_name}:0"],
                opset=_OPSET,
            )
        # What it knows no operator for, tf2onnx leaves as it is.
        extras.load(Onnx.extra, "onnx.checker", f"--format={Onnx.name}").check_model(proto)
    except Exception as error:  # tf2onnx has no class of errors of its own.
        problem = first_line(error)
        raise UserError(f"{title} cannot be written as --format=onnx: {problem}") from error
    finally:
        log.setLevel(level)
    gc.collect()  # Copies of the graph have cycles.
    for tensor_name, array in _arrays(proto.graph, large):
        proto.graph.initializer.append(numpy_helper.from_array(array, tensor_name))
    proto.graph.name = title
    for tensor in (*proto.graph.input, *proto.graph.output, *proto.graph.value_info):
        tensor.name = names.get(tensor.name, tensor.name)
    for node in proto.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    return proto


def _without_large(graph_def: tf.GraphDef) -> tuple[tf.GraphDef, dict[str, tf.NodeDef]]:
    """Returns a graph whose large constants are inputs instead, and them by their names."""
    small, large = tf.GraphDef(versions=graph_def.versions, library=graph_def.library), {}
    for node in graph_def.node:
        if node.op != "Const" or node.ByteSize() <= _HELD_OUT:
            small.node.add().CopyFrom(node)
            continue
        large[node.name] = node
        held_out = small.node.add(name=node.name, op="Placeholder")
        held_out.attr["dtype"].CopyFrom(node.attr["dtype"])
        held_out.attr["shape"].shape.CopyFrom(node.attr["value"].tensor.tensor_shape)
    return small, large


def _arrays(graph: Any, constants: Mapping[str, tf.NodeDef]) -> Iterator[tuple[str, np.ndarray]]:
    """Yields the constants that an ONNX graph has as inputs, and takes these inputs away.

    What the conversion would have transposed, had it seen the values, is transposed here.
    """
    for name, constant in constants.items():
        tensor_name, array = f"{name}:0", tf.make_ndarray(constant.attr["value"].tensor)
        for held_out in [each for each in graph.input if each.name == tensor_name]:
            graph.input.remove(held_out)
        readers = [node for node in graph.node if tensor_name in node.input]
        if [node.op_type for node in readers] == ["Transpose"]:
            (permutation,) = readers[0].attribute
            tensor_name, array = readers[0].output[0], array.transpose(permutation.ints)
            graph.node.remove(readers[0])
        yield tensor_name, array


def _read(path: pathlib.Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror}.") from error


def _described(path: pathlib.Path, properties: Mapping[str, str]) -> description.ModelDescription:
    if _DESCRIPTION not in properties:
        raise UserError(f"{path} holds no description: export_inference_graph did not write it.")
    return description.decode(path / _DESCRIPTION, properties[_DESCRIPTION].encode())


def _tensors(path: pathlib.Path, session: Any, model: description.ModelDescription) -> tuple:
    """Returns what ONNX Runtime knows of the images and the predictions."""
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if [each.name for each in inputs] != [model.input_name] or model.predictions_name not in [
        each.name for each in outputs
    ]:
        raise UserError(
            f"The description in {path} does not fit it: it has no {model.input_name!r} that leads"
            f" to {model.predictions_name!r}."
        )
    return inputs[0], next(each for each in outputs if each.name == model.predictions_name)


def _sizes(tensor: Any) -> list[int | None]:
    """Returns the shape of a tensor, None where it is open; there ONNX Runtime has a name."""
    return [size if isinstance(size, int) else None for size in tensor.shape]
