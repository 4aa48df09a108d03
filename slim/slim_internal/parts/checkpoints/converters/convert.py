"""Converts weights of other libraries into slim checkpoints, and back."""

import dataclasses
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from deployment import sessions
from nets import nets_factory
from nets.network import Network
from slim_internal.ground.compat import paths, tf
from slim_internal.ground.errors import UserError, unknown
from slim_internal.parts.checkpoints import latest, restore
from slim_internal.parts.checkpoints.converters import keras, keras_file, rules, safetensors, timm
from slim_internal.parts.checkpoints.converters.rules import Rule

_KERAS_FILES = (".h5", ".keras")
_TIMM_FILES = (".safetensors",)
_KERAS_OUTPUT = ".weights.h5"
_MOST_NAMES = 3
_DATA = ".data-00000-of-00001"


@dataclasses.dataclass(frozen=True)
class Conversion:
    """What was converted.

    Attributes:
      path: The checkpoint or file that was written.
      variables: How many variables of slim were converted.
      num_classes: Classes of the classifier.
      initialized: Variables that the other library does not have, written with initial values.
    """

    path: str
    variables: int
    num_classes: int
    initialized: tuple[str, ...] = ()

    def summary(self) -> str:
        """Returns what to tell the user."""
        lines = [f"Wrote {self.path}: {self.variables} variables, {self.num_classes} classes."]
        if self.initialized:
            scopes = sorted({"/".join(name.split("/")[:2]) for name in self.initialized})
            lines.append(
                f"{len(self.initialized)} variables of {', '.join(scopes)}, which only training"
                " uses, have initial values: the other library does not have them."
            )
        if self.num_classes == 1000:
            lines.append(
                "Unless given: --labels_offset=1 on ImageNet (1,000 classes, no background class)."
            )
        return "\n".join(lines)


@dataclasses.dataclass(frozen=True)
class _Library:
    """A library whose weights are understood.

    Attributes:
      name: Its name.
      networks: slim's networks that have a counterpart there.
      refused: Network -> why its counterpart is not one.
      mapping: Function of (network, variables) -> rules.
    """

    name: str
    networks: Sequence[str]
    refused: Mapping[str, str]
    mapping: Callable[[str, Mapping[str, Sequence[int]]], list[Rule]]


_KERAS = _Library("Keras", keras.NETWORKS, keras.REFUSED, keras.mapping)
_TIMM = _Library("timm", tuple(timm.MODELS), timm.REFUSED, timm.mapping)


def to_slim(model_name: str, weights_file: str, output_file: str) -> Conversion:
    """Writes the weights of another library as a checkpoint of slim.

    Args:
      model_name: Name of slim's network.
      weights_file: .h5, .weights.h5 or .keras of Keras applications, .safetensors of timm.
      output_file: The checkpoint to write, such as "/weights/inception_v3.ckpt".

    Raises:
      UserError: If the file cannot be read, or its tensors are not exactly those of the network.
    """
    library = _library(weights_file)
    network = _network(library, model_name)
    if not os.path.isfile(weights_file):
        raise UserError(f"There is no file {weights_file}.")
    if not output_file.endswith(".ckpt"):
        raise UserError(f"--output_file={output_file} must end with .ckpt: a checkpoint of slim.")
    tensors = _read(library, weights_file)
    mapping = library.mapping(network.name, main_shapes(network, network.num_classes))
    num_classes = _num_classes(mapping, network, tensors, weights_file)
    with tf.Graph().as_default(), tf.Session(config=sessions.cpu_config()) as session:
        main, extra = _build(network, num_classes)
        arrays = _converted(mapping, main, tensors, weights_file)
        tf.set_random_seed(0)
        arrays |= session.run({name: variable.initial_value for name, variable in extra.items()})
        _save(session, output_file, arrays)
    return Conversion(output_file, len(main), num_classes, tuple(extra))


def from_slim(model_name: str, checkpoint_path: str, output_file: str) -> Conversion:
    """Writes a checkpoint of slim as weights of another library.

    Args:
      model_name: Name of slim's network.
      checkpoint_path: The checkpoint, or anything else that `latest.find` understands.
      output_file: .safetensors for timm, .weights.h5 for Keras 3.

    Raises:
      UserError: If the checkpoint does not hold the network's variables, or there is no mapping.
    """
    library = _library(output_file)
    if library is _KERAS and not output_file.endswith(_KERAS_OUTPUT):
        raise UserError(f"--output_file={output_file} must end with {_KERAS_OUTPUT} for Keras.")
    network = _network(library, model_name)
    path = latest.find(checkpoint_path)
    saved = restore.saved_shapes(path)
    shapes = main_shapes(network, network.num_classes)
    num_classes = saved.get(list(shapes)[-1], [0])[-1]  # The last is the classifier's bias.
    if not num_classes:
        raise UserError(f"Checkpoint {path} holds no classifier of {network.name}.")
    shapes = main_shapes(network, num_classes)
    wrong = [name for name, shape in shapes.items() if saved.get(name) != shape]
    if wrong:
        raise UserError(
            f"Checkpoint {path} does not fit {network.name}: {_some(wrong)} missing or of another"
            " shape."
        )
    reader = tf.train.NewCheckpointReader(paths.literal_checkpoint(path))
    mapping = library.mapping(network.name, shapes)
    tensors = {rule.tensor: _tensor(rule, reader.get_tensor(rule.variable)) for rule in mapping}
    os.makedirs(os.path.dirname(output_file) or ".", exist_ok=True)
    if library is _TIMM:
        safetensors.write(output_file, tensors)
    else:
        keras_file.write(output_file, tensors, _kinds(network.name, mapping))
    return Conversion(output_file, len(shapes), num_classes)


def _library(path: str) -> _Library:
    if path.endswith(_KERAS_FILES):
        return _KERAS
    if path.endswith(_TIMM_FILES):
        return _TIMM
    raise UserError(
        f"{path} has no known ending: {', '.join(_KERAS_FILES)} are of Keras,"
        f" {', '.join(_TIMM_FILES)} of timm."
    )


def _network(library: _Library, model_name: str) -> Network:
    network = nets_factory.get_network(model_name)
    if model_name in library.refused:
        raise UserError(
            f"Weights of {library.name} cannot become {model_name} or the other way round:"
            f" {library.refused[model_name]}."
        )
    if model_name not in library.networks:
        raise unknown(f"network with a counterpart in {library.name}", model_name, library.networks)
    return network


def _read(library: _Library, path: str) -> dict[str, np.ndarray]:
    if library is _TIMM:
        return {
            name: tensor
            for name, tensor in safetensors.read(path).items()
            if not timm.IGNORED.fullmatch(name)
        }
    tensors = keras_file.read(path)
    layers = list(dict.fromkeys(name.rpartition("/")[0] for name in tensors))
    names = keras.renumbered(layers)
    return {
        f"{names[layer]}/{position}": tensor
        for name, tensor in tensors.items()
        for layer, _, position in [name.rpartition("/")]
    }


def _num_classes(
    mapping: Sequence[Rule], network: Network, tensors: Mapping[str, np.ndarray], path: str
) -> int:
    """Returns how many classes weights have, by the bias of the classifier, the last variable."""
    bias = mapping[-1].tensor
    if bias not in tensors:
        raise UserError(
            f"{path} does not hold the weights of {network.name} with its classifier: {bias} is"
            f" missing among {len(tensors)} tensors."
        )
    return len(tensors[bias])


def main_shapes(network: Network, num_classes: int) -> dict[str, list[int]]:
    """Returns the shapes of a network's variables, without those of auxiliary heads."""
    with tf.Graph().as_default():
        main, _ = _build(network, num_classes)
        return {name: variable.shape.as_list() for name, variable in main.items()}


def _build(
    network: Network, num_classes: int
) -> tuple[dict[str, tf.Variable], dict[str, tf.Variable]]:
    """Builds a network and returns its variables without those of auxiliary heads, and these."""
    size = network.default_image_size
    images = tf.placeholder(tf.float32, [1, size, size, network.channels])
    nets_factory.get_network_fn(network.name, num_classes)(images)
    variables = {variable.op.name: variable for variable in tf.global_variables()}
    extra = {n: v for n, v in variables.items() if restore.in_scopes(n, network.aux_scopes)}
    return {name: v for name, v in variables.items() if name not in extra}, extra


def _converted(
    mapping: Sequence[Rule],
    variables: Mapping[str, tf.Variable],
    tensors: Mapping[str, np.ndarray],
    path: str,
) -> dict[str, np.ndarray]:
    """Returns the arrays of slim's variables, or refuses with everything that does not fit."""
    wanted = {rule.tensor for rule in mapping}
    problems = [
        f"{_some(names)} {what}"
        for what, names in (
            ("missing", sorted(wanted - set(tensors))),
            ("unknown", sorted(set(tensors) - wanted)),
        )
        if names
    ]
    arrays = {}
    if not problems:
        for rule in mapping:
            shape = variables[rule.variable].shape.as_list()
            array, problem = as_in_slim(rule, tensors[rule.tensor], shape)
            if problem:
                problems.append(problem)
            elif not rule.ones:
                arrays[rule.variable] = array
    if problems:
        raise UserError(
            f"{path} is not exactly this network: {'; '.join(problems[:_MOST_NAMES])}"
            f"{'; ...' if len(problems) > _MOST_NAMES else ''}. Nothing was written."
        )
    return arrays


def as_in_slim(
    rule: Rule, tensor: np.ndarray, shape: Sequence[int]
) -> tuple[np.ndarray, str | None]:
    """Returns a tensor as slim has it, and what stands in the way, if anything does."""
    tensor = np.asarray(tensor, np.float32)
    try:
        array = rule.layout.to_slim(tensor, shape)
    except ValueError:
        array = tensor
    if list(array.shape) != list(shape):
        return array, f"{rule.tensor} has shape {list(tensor.shape)}, {rule.variable} {list(shape)}"
    if rule.ones and not (array == 1).all():
        return array, f"{rule.tensor} is not all ones, and slim has no such factor there"
    if not np.isfinite(array).all():
        return array, f"{rule.tensor} has values that are not finite"
    return np.ascontiguousarray(array), None


def _tensor(rule: Rule, array: np.ndarray) -> np.ndarray:
    if rule.ones:
        return np.ones_like(array)
    return np.ascontiguousarray(rule.layout.from_slim(array))


def _kinds(network: str, mapping: Sequence[Rule]) -> dict[str, list[str]]:
    """Returns the layers of each class of Keras, in the order of Keras."""
    kinds: dict[str, list[str]] = {}
    for rule in mapping:
        layer, _, position = rule.tensor.rpartition("/")
        if position == "0":
            kinds.setdefault(_kind(rule), []).append(layer)
    return {kind: keras.file_order(network, layers) for kind, layers in kinds.items()}


def _kind(rule: Rule) -> str:
    scope, leaf = rules.split(rule.variable)
    if rules.split(scope)[1] == rules.BATCH_NORM:
        return "batch_normalization"
    if leaf == "depthwise_weights":
        return "depthwise_conv2d"
    return "dense" if rule.layout is rules.DENSE else "conv2d"


def _save(session: tf.Session, path: str, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes a checkpoint; its files get their names at the end, the index last."""
    feeds = {tf.placeholder(tf.float32, array.shape): array for array in arrays.values()}
    folder = os.path.dirname(path) or "."
    os.makedirs(folder, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        prefix = os.path.join(temporary, "checkpoint")
        session.run(
            tf.raw_ops.SaveV2(
                prefix=prefix,
                tensor_names=list(arrays),
                shape_and_slices=[""] * len(arrays),
                tensors=list(feeds),
            ),
            feeds,
        )
        for suffix in (_DATA, ".index"):
            os.replace(prefix + suffix, path + suffix)


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MOST_NAMES])
    return f"{len(names)} ({shown}{', ...' if len(names) > _MOST_NAMES else ''})"
