"""Reference files written from a network's own graph say what the measured ones say."""

import json
import shutil

import numpy as np
import pytest

from nets import nets_factory
from slim_internal.ground import errors
from tests import golden_files
from tests.nets import write_reference

# What only tells where the numbers come from, or how the weights were scaled.
NOT_COMPARED = {"how", "other_collections"}


@pytest.mark.parametrize("name", ["lenet", "cifarnet", "mobilenet_v1_025"])
@pytest.mark.parametrize("kind", ["variables", "logits"])
def test_says_what_was_measured_on_published_networks(name, kind):
    network = nets_factory.get_network(name)
    measured = golden_files.load(f"{kind}/{name}.json")
    written = json.loads(write_reference.as_text(getattr(write_reference, kind)(network)))
    assert written.keys() == measured.keys()
    for key in measured.keys() - NOT_COMPARED:
        if kind == "variables":
            assert _sorted(written[key]) == _sorted(measured[key]), key
        else:
            _assert_near(written[key], measured[key], 1e-3 * measured["logits_std"])


def _sorted(value):
    """Lists of the scale of a penalty are in no order."""
    return {k: sorted(v) for k, v in value.items()} if _is_lists(value) else value


def _is_lists(value) -> bool:
    return isinstance(value, dict) and all(
        isinstance(each, list) and all(isinstance(name, str) for name in each)
        for each in value.values()
    )


def _assert_near(written, measured, tolerance):
    if isinstance(measured, dict):
        assert written.keys() == measured.keys()
        for key, value in measured.items():
            _assert_near(written[key], value, tolerance)
    elif isinstance(measured, str):
        assert written == measured
    else:
        np.testing.assert_allclose(written, measured, rtol=1e-3, atol=tolerance)


def test_does_not_replace_published_numbers(tmp_path):
    lenet = nets_factory.get_network("lenet")
    (tmp_path / "variables").mkdir()
    shutil.copy(golden_files.path("variables/lenet.json"), tmp_path / "variables/lenet.json")
    with pytest.raises(errors.UserError, match=r"lenet\.json holds published reference numbers"):
        write_reference.write(lenet, tmp_path)


def test_replaces_its_own(tmp_path):
    lenet = nets_factory.get_network("lenet")
    for kind in ("variables", "logits"):
        (tmp_path / kind).mkdir()
    first = write_reference.write(lenet, tmp_path)
    texts = [path.read_text() for path in first]
    assert write_reference.write(lenet, tmp_path) == first
    assert [path.read_text() for path in first] == texts
    assert all("proves nothing but stability" in text for text in texts)
