"""Programs written against TF-Slim find every function of the preprocessing, with its arguments."""

import importlib
import inspect

import pytest

from tests import golden_files

_MODULES = {
    name: facts
    for name, facts in golden_files.load("api.json").items()
    if name.startswith("preprocessing.")
}


@pytest.mark.parametrize(
    ("module", "name"),
    [(module, name) for module, facts in _MODULES.items() for name in facts["functions"]],
)
def test_signature(module, name):
    function = getattr(importlib.import_module(module), name)
    signature = [
        [p.name] if p.default is p.empty else [p.name, repr(p.default)]
        for p in inspect.signature(function).parameters.values()
    ]
    assert signature == _MODULES[module]["functions"][name]["signature"]
