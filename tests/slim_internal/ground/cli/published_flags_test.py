"""Compares the settings of the programs, which become their flags, with the published flags."""

import dataclasses
import typing

import pytest

from datasets.conversion.settings import Conversion
from nets import mobilenet_v1_eval, mobilenet_v1_train, post_training_quantization
from slim_internal.ground.settings import described
from slim_internal.programs.classification.settings import Classification
from slim_internal.programs.evaluation.settings import Evaluation
from slim_internal.programs.export.settings import Export
from slim_internal.programs.inspection.settings import Inspection
from slim_internal.programs.training.settings import TrainConfig
from tests import golden_files

_CONFIGS = {
    "download_and_convert_data.py": Conversion,
    "eval_image_classifier.py": Evaluation,
    "export_inference_graph.py": Export,
    "nets/mobilenet_v1_eval.py": mobilenet_v1_eval.Measuring,
    "nets/mobilenet_v1_train.py": mobilenet_v1_train.Training,
    "nets/post_training_quantization.py": post_training_quantization.Quantization,
    "train_image_classifier.py": TrainConfig,
}
_PUBLISHED = golden_files.load("flags.json")
# Four threads, as published, leave most of the CPUs of today idle.
_OTHER_DEFAULTS = {"num_preprocessing_threads": None}
_TYPES = {"bool": bool, "float": float, "int": int, "string": str}


@pytest.mark.parametrize(
    ("script", "name"),
    [(script, name) for script in _CONFIGS for name in _PUBLISHED[script]["flags"]],
)
def test_flag_keeps_type_and_default(script, name):
    published = _PUBLISHED[script]["flags"][name]
    hint = typing.get_type_hints(_CONFIGS[script])[name]
    assert _TYPES[published["type"]] in (typing.get_args(hint) or (hint,))
    fields = {field.name: field for field in dataclasses.fields(_CONFIGS[script])}
    default = _OTHER_DEFAULTS.get(name, published["default"])
    assert fields[name].default == default


@pytest.mark.parametrize("config", [Classification, Conversion, Inspection, *_CONFIGS.values()])
def test_every_setting_is_documented(config):
    for field in described(config):
        assert field.rule.help.endswith("."), field.name
        assert field.rule.subject, field.name
