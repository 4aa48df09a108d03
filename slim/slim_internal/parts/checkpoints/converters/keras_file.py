"""Reads and writes the weights in files of Keras, without Keras.

There are three arrangements: .h5 of Keras 1 and 2 (lists of names as attributes, with or without
the model around them), .weights.h5 of Keras 3 (numbered tensors, counted by class, with the name of
the layer beside them), and .keras (a zip archive with such a .weights.h5 inside).
"""

import io
import zipfile
from collections.abc import Mapping, Sequence

import h5py
import numpy as np

from slim_internal.ground.errors import UserError
from slim_internal.ground.files import atomic

_INSIDE = "model.weights.h5"


def read(path: str) -> dict[str, np.ndarray]:
    """Returns the tensors of a file as "layer/position".

    Raises:
      UserError: If it is not a file of weights of Keras.
    """
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive, archive.open(_INSIDE) as inside:
                return _read(io.BytesIO(inside.read()), path)
        return _read(path, path)
    except (OSError, KeyError, RuntimeError, zipfile.BadZipFile) as error:
        problem = str(error).splitlines()[0]
        raise UserError(f"{path} is not a file of weights of Keras: {problem}") from error


def _read(source, path: str) -> dict[str, np.ndarray]:
    with h5py.File(source, "r") as file:
        top = file.get("model_weights", file)
        layers = _of_keras_2(top) if "layer_names" in top.attrs else _of_keras_3(file)
        found = {
            f"{layer}/{position}": np.asarray(tensor)
            for layer, tensors in layers.items()
            for position, tensor in enumerate(tensors)
        }
    if not found:
        raise UserError(f"{path} holds no weights of layers.")
    return found


def _of_keras_2(top: h5py.Group) -> dict[str, list]:
    layers = {}
    for layer in map(_text, top.attrs["layer_names"]):
        names = map(_text, top[layer].attrs["weight_names"])
        layers[layer] = [top[layer][name][()] for name in names]
    return layers


def _of_keras_3(file: h5py.File) -> dict[str, list]:
    layers = {}
    for key, group in file["layers"].items():
        tensors = group.get("vars", {})
        if len(tensors):
            layer = _text(tensors.attrs.get("name", key))
            layers[layer] = [tensors[str(place)][()] for place in range(len(tensors))]
    return layers


def _text(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)


def write(path: str, tensors: Mapping[str, np.ndarray], kinds: Mapping[str, Sequence[str]]) -> None:
    """Writes a .weights.h5 of Keras 3, whole or not at all.

    Args:
      path: The file.
      tensors: "layer/position" -> tensor.
      kinds: Class as the file spells it ("conv2d") -> its layers, in the order of the model.
    """
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        file.create_group("vars")
        for kind, layers in kinds.items():
            for number, layer in enumerate(layers):
                key = f"{kind}_{number}" if number else kind
                group = file.create_group(f"layers/{key}/vars")
                group.attrs["name"] = layer
                for position in range(_count(layer, tensors)):
                    group[str(position)] = tensors[f"{layer}/{position}"]
    atomic.write(path, content.getvalue())


def _count(layer: str, tensors: Mapping[str, np.ndarray]) -> int:
    count = 0
    while f"{layer}/{count}" in tensors:
        count += 1
    return count
