"""Writes the reference files of a new network from its own graph.

bazel run //tests/nets:write_reference -- --network=NAME

They show from then on that the network stays as it is: the names and shapes of its variables, its
end points, its outputs under given weights. They do not show that it is right. The reference files
of a published network were measured on its makers' implementation, and stay as they are.
"""

import collections
import json
import os
import pathlib
import sys

import numpy as np
from absl import app, flags

from nets import nets_factory
from nets.network import Network
from slim_internal.ground import errors
from slim_internal.ground.compat import slim, tf
from tests.nets import golden_weights, graph_facts

_HOW = "tests/nets/write_reference.py: from the network's own graph; proves nothing but stability"
_WEIGHT_DECAY = 4e-5  # As in the other reference files.
_BATCH_SIZE = 2

_NETWORK = flags.DEFINE_string("network", None, "Name of the network.", required=True)


def input_shape(network: Network) -> list[int]:
    """Returns the shape of the input of the reference."""
    frames = [] if network.num_frames is None else [network.num_frames]
    size = network.default_image_size
    return [_BATCH_SIZE, *frames, size, size, network.channels]


def variables(network: Network) -> dict:
    """Returns what `variables/NAME.json` says: variables, end points and collections."""
    training = _graph(network, is_training=True)
    evaluation = _graph(network, is_training=False)
    in_training = {name for name, _ in training["trainable"] + training["non_trainable"]}
    in_evaluation = {name for name, _ in evaluation["trainable"] + evaluation["non_trainable"]}
    both = ("end_points", "output_op_name", "output_shape", "n_update_ops")
    return {
        **training,
        **{f"{key}_eval": evaluation[key] for key in (*both, "n_regularization_losses")},
        "how": _HOW,
        "net": network.name,
        "num_classes": network.num_classes,
        "default_image_size": network.default_image_size,
        "input_shape": input_shape(network),
        "num_parameters_doc": "sum of sizes of the trainable variables",
        "variables_only_in_eval": sorted(in_evaluation - in_training),
        "variables_only_in_training": sorted(in_training - in_evaluation),
        "weight_decay": _WEIGHT_DECAY,
    }


def _graph(network: Network, is_training: bool) -> dict:
    """Returns the facts of one graph of the network."""
    with tf.Graph().as_default():
        net, end_points = _build(network, is_training)[1:]
        trainable = tf.trainable_variables()
        every = tf.global_variables()
        model = slim.get_model_variables()
        return {
            "batch_norm": graph_facts.batch_norm(),
            "end_points": graph_facts.shapes(end_points),
            "global_variables_not_model_variables": sorted(
                {v.op.name for v in every} - {v.op.name for v in model}
            ),
            "initializers": _initializers(model),
            "n_regularization_losses": len(tf.losses.get_regularization_losses()),
            "n_update_ops": len(tf.get_collection(tf.GraphKeys.UPDATE_OPS)),
            "non_trainable": graph_facts.names_and_shapes(
                v for v in every if all(v is not other for other in trainable)
            ),
            "num_model_variable_elements": graph_facts.num_elements(every),
            "num_parameters": graph_facts.num_elements(trainable),
            "other_collections": {},
            "output_op_name": net.op.name,
            "output_shape": net.shape.as_list(),
            "regularization_scale_to_variables": graph_facts.regularized_variables(),
            "trainable": graph_facts.names_and_shapes(trainable),
        }


def _build(network: Network, is_training: bool):
    network_fn = nets_factory.get_network_fn(
        network.name, network.num_classes, _WEIGHT_DECAY, is_training
    )
    images = tf.placeholder(tf.float32, input_shape(network))
    return images, *network_fn(images)


def _initializers(variables) -> dict[str, str]:
    """Returns the initializer of each kind of variable; exceptions stand under the full name."""
    by_kind = collections.defaultdict(dict)
    for variable in variables:
        name = variable.op.name
        by_kind[f"*/{name.rpartition('/')[2]}"][name] = graph_facts.initializer(variable)
    found = {}
    for kind, initializers in by_kind.items():
        ((usual, _),) = collections.Counter(initializers.values()).most_common(1)
        found[kind] = usual
        found |= {name: other for name, other in initializers.items() if other != usual}
    return found


def logits(network: Network) -> dict:
    """Returns what `logits/NAME.json` says: outputs under weights that follow from the names."""
    shape = input_shape(network)
    with tf.Graph().as_default(), tf.Session() as session:
        images, net, end_points = _build(network, is_training=False)
        golden_weights.assign(session, tf.global_variables())
        output, end_points = session.run((net, end_points), {images: golden_weights.images(shape)})
    rows = output.reshape(len(output), -1).astype(np.float64)
    return {
        "argmax": rows.argmax(axis=1).tolist(),
        "end_points_stats": {
            name: [
                values.mean(dtype=np.float64),
                values.std(dtype=np.float64),
                np.abs(values).max(),
            ]
            for name, values in end_points.items()
        },
        "how": _HOW,
        "input_shape": shape,
        "logits_abs_max": np.abs(rows).max(),
        "logits_first16_row0": rows[0, :16].tolist(),
        "logits_first16_row1": rows[1, :16].tolist(),
        "logits_mean": rows.mean(),
        "logits_std": rows.std(),
        "net": network.name,
        "num_classes": network.num_classes,
        "output_shape": list(output.shape),
        "rows_diff_std": (rows[0] - rows[1]).std(),
        "weight_rule": "default",
    }


def as_text(facts: dict) -> str:
    """Returns the text of a reference file: sorted, with 7 significant digits, a line per fact."""
    return _text(facts, indent="") + "\n"


def _text(value, indent: str) -> str:
    inner = indent + " "
    if isinstance(value, dict) and value:
        rows = [f"{inner}{json.dumps(key)}: {_text(value[key], inner)}" for key in sorted(value)]
        return "{\n" + ",\n".join(rows) + f"\n{indent}}}"
    if isinstance(value, list) and value and isinstance(value[0], list):
        rows = [inner + _text(row, inner) for row in value]
        return "[\n" + ",\n".join(rows) + f"\n{indent}]"
    if isinstance(value, list):
        return f"[{', '.join(_text(each, inner) for each in value)}]"
    if isinstance(value, float | np.floating):
        return json.dumps(float(f"{value:.7g}"))
    return json.dumps(value)


def write(network: Network, folder: pathlib.Path) -> list[pathlib.Path]:
    """Writes both reference files of a network and returns their paths.

    Args:
      network: The network.
      folder: The folder `tests/golden`.

    Raises:
      errors.UserError: if there are reference files of another origin.
    """
    written = []
    for kind, measure in (("variables", variables), ("logits", logits)):
        path = folder / kind / f"{network.name}.json"
        if path.exists() and json.loads(path.read_text(encoding="utf-8")).get("how") != _HOW:
            raise errors.UserError(
                f"{path} holds published reference numbers, which stay as they are."
            )
        path.write_text(as_text(measure(network)), encoding="utf-8")
        written.append(path)
    return written


def _main(_) -> None:
    root = pathlib.Path(os.environ.get("BUILD_WORKSPACE_DIRECTORY", "."))
    try:
        written = write(nets_factory.get_network(_NETWORK.value), root / "tests/golden")
    except errors.UserError as error:
        sys.exit(str(error))
    print("Wrote from the network's own graph:", *written, sep="\n  ")
    print("They prove that the network stays as it is from now on, and nothing else.")


if __name__ == "__main__":
    app.run(_main)
