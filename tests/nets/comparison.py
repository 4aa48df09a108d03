"""Compares outputs with reference numbers, within the tolerances of `tests/golden/README.md`."""

import numpy as np

_SOFTMAX = "predictions"


def check_output(output: np.ndarray, golden: dict) -> None:
    """Requires that a network's output has the recorded values, to 1e-3 of their deviation."""
    assert list(output.shape) == golden["output_shape"]
    tolerance = 1e-3 * golden["logits_std"]
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
    for key, value in measured.items():
        if key in golden:
            np.testing.assert_allclose(value, golden[key], rtol=0, atol=tolerance, err_msg=key)
    best = rows[np.arange(len(rows)), golden["argmax"]]
    np.testing.assert_allclose(best, rows.max(axis=1), rtol=0, atol=tolerance, err_msg="argmax")


def check_end_points(end_points: dict[str, np.ndarray], golden: dict[str, list]) -> None:
    """Requires mean, deviation and largest absolute value of every end point."""
    assert end_points.keys() == golden.keys()
    wrong = []
    for name, (mean, std, abs_max) in golden.items():
        values = np.asarray(end_points[name], np.float64)
        measured = (values.mean(), values.std(), np.abs(values).max())
        share = 3e-3 if _SOFTMAX in name.lower() else 1e-3
        if not np.allclose(measured, (mean, std, abs_max), rtol=0, atol=share * std):
            wrong.append(f"{name}: expected {(mean, std, abs_max)}, got {measured}")
    assert not wrong, "\n".join(wrong)


def check_gradients(gradients: dict[str, np.ndarray], golden: dict) -> None:
    """Requires the recorded statistics of the gradients of a training step."""
    for name, expected in golden.items():
        values = np.asarray(gradients[name], np.float64)
        if expected.get("vanishes"):
            continue
        std = expected["std"]
        np.testing.assert_allclose(values.std(), std, rtol=1e-2, err_msg=name)
        np.testing.assert_allclose(values.mean(), expected["mean"], atol=1e-2 * std, err_msg=name)
