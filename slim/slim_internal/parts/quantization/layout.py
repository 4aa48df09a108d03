"""Where a network rounds its values, and which of these places need equal ranges."""

import dataclasses
import re
from collections.abc import Mapping, Sequence

from slim_internal.ground.compat import tf
from slim_internal.ground.errors import UserError
from slim_internal.parts.quantization import kinds
from slim_internal.parts.quantization.kinds import Kind

# Types of the operations that multiply by weights.
LAYERS = tuple(name for name, kind in kinds.KINDS.items() if kind is Kind.LAYER)
_OWN = (Kind.LAYER, Kind.TAIL, Kind.ACTIVATION, Kind.ARITHMETIC)


@dataclasses.dataclass(frozen=True)
class Layout:
    """What is to be rounded.

    Attributes:
      layers: Operations whose second input are weights.
      norms: Batch normalizations that follow no layer.
      groups: Name of each range -> the tensors that have it.
      consumers: Name of a tensor -> the operations between images and logits that read it.
    """

    layers: Sequence[tf.Operation]
    norms: Sequence[tf.Operation]
    groups: Mapping[str, Sequence[tf.Tensor]]
    consumers: Mapping[str, Sequence[tf.Operation]]


def find(images: tf.Tensor, logits: tf.Tensor) -> Layout:
    """Looks for what is to be rounded between images and logits.

    Raises:
      UserError: If there is an operation that 8-bit arithmetic is not simulated for.
    """
    path = _between(images, logits)
    on_path = set(path)
    consumers: dict[str, list[tf.Operation]] = {}
    for operation in path:
        for tensor in dict.fromkeys(operation.inputs):
            consumers.setdefault(tensor.name, []).append(operation)

    def reading(tensor):
        return consumers.get(tensor.name, ())

    found = kinds.kinds_of(path, reading)
    _require_known(found)
    same = _EqualRanges()
    rounded, norms = [images], []
    for operation, kind in found.items():
        output = operation.outputs[0]
        inputs = [each for each in operation.inputs if each.op in on_path or each is images]
        if kind in (Kind.SAME_RANGE, Kind.AVERAGE):
            for tensor in inputs:
                same.join(tensor, output)
        if operation.type == "FusedBatchNormV3" and _is_alone(inputs[0], found, reading):
            norms.append(operation)
        own_range = kind in _OWN and not kinds.is_fused(operation, kind, reading)
        if own_range or kind is Kind.AVERAGE:
            rounded.append(output)
    return Layout(
        layers=[operation for operation, kind in found.items() if kind is Kind.LAYER],
        norms=norms,
        groups=_named(rounded, same, images, found, reading),
        consumers=consumers,
    )


def _between(images: tf.Tensor, logits: tf.Tensor) -> list[tf.Operation]:
    """Returns the operations that depend on images and that logits depend on, in their order."""
    above, pending = set(), [logits.op]
    while pending:
        operation = pending.pop()
        if operation not in above and operation is not images.op:
            above.add(operation)
            pending += [tensor.op for tensor in operation.inputs]
    reached = {images.name}
    path = []
    for operation in images.graph.get_operations():
        if operation in above and any(tensor.name in reached for tensor in operation.inputs):
            reached |= {tensor.name for tensor in operation.outputs}
            path.append(operation)
    return path


def _require_known(found: Mapping[tf.Operation, Kind | None]) -> None:
    unknown = {operation.type: operation for operation, kind in found.items() if kind is None}
    if unknown:
        raise UserError(
            "8-bit arithmetic is not simulated for this network: it has operations of the kind"
            f" {', '.join(sorted(unknown))} ({next(iter(unknown.values())).name}). Leave out"
            " --quantize_delay and --quantize; export_inference_graph --format=tflite_int8"
            " may still convert it."
        )


def _is_alone(source, found, consumers) -> bool:
    """Returns whether a batch normalization of a tensor is not computed with a layer before it."""
    kind = found.get(source.op)
    return kind not in (Kind.LAYER, Kind.TAIL) or not kinds.is_fused(source.op, kind, consumers)


def _named(rounded, same, images, found, consumers) -> dict[str, list[tf.Tensor]]:
    """Returns the tensors of each range; its name is that of the first one."""
    groups: dict[str, list[tf.Tensor]] = {}
    names: dict[str, str] = {}
    for tensor in rounded:
        root = same.root(tensor)
        if root not in names:
            name = _name(tensor, images, found, consumers)
            count = sum(other == name or other.startswith(f"{name}_") for other in groups)
            names[root] = f"{name}_{count}" if count else name
            groups[names[root]] = []
        groups[names[root]].append(tensor)
    return groups


def _name(tensor, images, found, consumers) -> str:
    """Returns the name of a range, as checkpoints of TensorFlow 1 have it.

    It is that of the scope of the layer or of the addition, with what is rounded there.
    """
    if tensor is images:
        return "input_quant"
    source = tensor.op
    while found[source] in (Kind.TAIL, Kind.ACTIVATION):
        before = source.inputs[0].op
        if before not in found or not kinds.is_fused(before, found[before], consumers):
            break
        source = before
    name = _without_outer_scope(source.name, tensor.graph.get_name_scope())
    scope = name.rpartition("/")[0]
    if found[source] is Kind.LAYER:
        linear = tensor.op.type not in ("Relu", "Relu6")
        added = linear and any(_is_bypass(each, tensor, found) for each in consumers(tensor))
        return f"{scope}/{'conv_quant' if added else 'act_quant'}"
    if _is_sum(source, found):
        if tensor.op is not source:
            return f"{scope}/act_quant"
        after_identity = any(_is_linear_output(each.op, found) for each in source.inputs)
        return f"{scope}/{'post_activation_bypass_quant' if after_identity else 'add_quant'}"
    if tensor.op is not source and _is_bypass(source, source.inputs[0], found):
        return f"{scope.rpartition('/')[0]}/act_quant"
    return f"{name}/activation_{source.type.removesuffix('V2')}_quant"


def _is_sum(operation: tf.Operation, found) -> bool:
    """Returns whether an operation adds two values, not a value and a constant."""
    is_addition = operation.type in ("Add", "AddV2")
    return is_addition and all(each.op in found for each in operation.inputs)


def _is_bypass(reader: tf.Operation, tensor: tf.Tensor, found) -> bool:
    """Returns whether TensorFlow 1 took an operation for a sum with the output of a layer.

    It did so for any addition, that of hard swish's and hard sigmoid's constant included.
    """
    constant = reader.type in ("Add", "AddV2") and found.get(tensor.op) is Kind.TAIL
    return constant or _is_sum(reader, found)


def _is_linear_output(operation: tf.Operation, found) -> bool:
    """Returns whether an operation passes on what a layer says, as MobileNet's projections do."""
    return operation.type == "Identity" and found.get(operation.inputs[0].op) in (
        Kind.LAYER,
        Kind.TAIL,
    )


def _without_outer_scope(name: str, scope: str) -> str:
    """Returns the name of an operation without the scope of its clone or tower."""
    return re.sub(f"^{re.escape(scope)}/", "", name) if scope else name


class _EqualRanges:
    """Tensors that have the same range, by their names: disjoint sets."""

    def __init__(self):
        self._parents: dict[str, str] = {}

    def root(self, tensor: tf.Tensor) -> str:
        """Returns what stands for all that have the range of a tensor."""
        name = tensor.name
        while self._parents.setdefault(name, name) != name:
            name = self._parents[name]
        return name

    def join(self, first: tf.Tensor, second: tf.Tensor) -> None:
        """Gives two tensors the same range."""
        self._parents[self.root(second)] = self.root(first)
