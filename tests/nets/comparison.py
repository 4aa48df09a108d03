"""Compares outputs with reference numbers, within the tolerances of `tests/golden/README.md`."""

import zlib

import numpy as np

from slim_internal.ground.compat import tf
from tests.nets import golden_weights, graph_facts


def check_output(output: np.ndarray, golden: dict) -> None:
    """Requires that a network's output has the recorded values, to 1e-3 of their deviation."""
    assert list(output.shape) == golden["output_shape"]
    rows = output.reshape(len(output), -1).astype(np.float64)
    probes = np.linspace(0, rows.shape[1] - 1, 16).astype(int)
    measured = {
        "logits_mean": rows.mean(),
        "logits_std": rows.std(),
        "logits_abs_max": np.abs(rows).max(),
        "rows_diff_std": (rows[0] - rows[1]).std(),
        "logits_first16_row0": rows[0, :16],
        "logits_first16_row1": rows[1, :16],
        "probe16_row0": rows[0, probes],
        "probe16_row1": rows[1, probes],
    }
    for key in measured.keys() & golden.keys():
        _near(measured[key], golden[key], 1e-3 * golden["logits_std"], key)
    best = rows[np.arange(len(rows)), golden["argmax"]]
    _near(best, rows.max(axis=1), 1e-3 * golden["logits_std"], "argmax")


def check_end_points(end_points: dict[str, np.ndarray], golden: dict[str, list]) -> None:
    """Requires mean, deviation and largest absolute value of every end point."""
    assert end_points.keys() == golden.keys()
    wrong = []
    for name, (mean, std, abs_max) in golden.items():
        values = np.asarray(end_points[name], np.float64)
        measured = (values.mean(), values.std(), np.abs(values).max())
        share = 3e-3 if _are_probabilities(values) else 1e-3
        if not np.allclose(measured, (mean, std, abs_max), rtol=0, atol=share * std):
            wrong.append(f"{name}: expected {(mean, std, abs_max)}, got {measured}")
    assert not wrong, "\n".join(wrong)


def _are_probabilities(values: np.ndarray) -> bool:
    """Returns whether these are outputs of a softmax, whose exponentials widen differences."""
    return values.min() >= 0 and np.allclose(values.sum(axis=-1), 1, rtol=0, atol=1e-4)


def check_variant(images: tf.Tensor, net: tf.Tensor, end_points: dict, golden: dict) -> None:
    """Requires names, shapes and, unless it records shapes only, the numbers of a variant."""
    variables = tf.global_variables()
    lines = [f"{name} {shape}" for name, shape in graph_facts.names_and_shapes(variables)]
    assert zlib.crc32("\n".join(lines).encode()) == golden["variable_names_crc32"]
    assert graph_facts.num_elements(tf.trainable_variables()) == golden["num_parameters"]
    assert net.op.name == golden["output_op_name"]
    assert net.shape.as_list() == golden["output_shape"]
    if golden.get("shapes_only"):
        assert graph_facts.shapes(end_points) == golden["end_points"]
        assert len(tf.get_collection(tf.GraphKeys.UPDATE_OPS)) == golden["n_update_ops"]
        return
    with tf.Session() as session:
        golden_weights.assign(session, variables, golden["weight_rule"])
        feed = {images: golden_weights.images(golden["input_shape"])}
        output, end_points = session.run((net, end_points), feed)
    check_output(output, golden)
    check_end_points(end_points, golden["end_points_stats"])


def check_training_step(measured: dict, golden: dict) -> None:
    """Requires losses to 1e-4, the global gradient norm to 5e-3, gradients to 1e-2.

    The norm of each variable's gradient is recorded as 0 where it is rounding noise, which is below
    1e-5 of the global norm.
    """
    logits = np.asarray(measured["logits"], np.float64)
    mean, std, abs_max = golden["logits_stats"]
    statistics = (logits.mean(), logits.std(), np.abs(logits).max())
    _near(statistics, (mean, std, abs_max), 1e-3 * std, "logits_stats")
    _near(logits[0, :16], golden["logits_first16_row0"], 1e-3 * std, "logits_first16_row0")
    for key in ("cross_entropy_loss", "regularization_loss", "total_loss"):
        _near(measured[key], golden[key], 1e-4 * abs(golden[key]), key)
    for key in ("grad_global_norm_total_loss", "grad_global_norm_cross_entropy_only"):
        _near(measured[key], golden[key], 5e-3 * golden[key], key)
    norms = golden["gradient_norms_of_total_loss"]
    assert measured["gradients"].keys() == norms.keys()
    noise = 1e-5 * golden["grad_global_norm_total_loss"]
    for name, norm in norms.items():
        gradient = np.asarray(measured["gradients"][name], np.float64)
        _near(np.linalg.norm(gradient), norm, 1e-2 * norm or noise, f"gradient norm of {name}")
    for name, expected in golden["gradients_of_total_loss"].items():
        if expected.get("vanishes"):
            continue
        gradient = np.asarray(measured["gradients"][name], np.float64)
        std = expected["std"]
        _near(gradient.std(), std, 1e-2 * std, f"gradient deviation of {name}")
        _near(gradient.mean(), expected["mean"], 1e-2 * std, f"gradient mean of {name}")


def check_moved(values: np.ndarray, expected: dict) -> None:
    """Requires that a moving average moved as recorded, to 1e-3 of the largest movement."""
    tolerance = 1e-3 * expected["delta_abs_max"]
    mean = values.mean(dtype=np.float64)
    _near(mean, expected["mean_after"], tolerance, f"mean of {expected['name']}")
    _near(values[:4], expected["first4_after"], tolerance, f"start of {expected['name']}")


def _near(measured, expected, tolerance: float, what: str) -> None:
    # The reference carries seven digits: it may be off by half a unit of the last one.
    np.testing.assert_allclose(measured, expected, rtol=5e-7, atol=tolerance, err_msg=what)
