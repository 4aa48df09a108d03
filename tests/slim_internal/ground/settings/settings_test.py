"""Settings say the same mistake in the same sentence, and refuse it when they are made."""

import dataclasses
import math
import subprocess
import sys

import pytest

from slim_internal.ground.errors import UserError
from slim_internal.ground.settings import Settings, described, setting


@dataclasses.dataclass(frozen=True, kw_only=True)
class Oven(Settings, subject="Oven"):
    degrees: float = setting(180.0, "Temperature.", at_least=20, at_most=300)
    share: float = setting(0.5, "Upper heat.", at_least=0, below=1)
    fans: int | None = setting(None, "Fans.", above=0)
    trays: int = setting(1, "Trays.")
    weight: float = setting(0.5, "Weight.")
    steam: bool = setting(False, "Whether to add steam.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Dough(Settings, subject="Dough"):
    flour: str | None = setting(None, "Kind of flour.", choices=("oat", "rye"), required=True)
    yeast: str = setting("", "Kind of yeast.")
    robot: int = setting(0, "Arms.", unsupported="everything is kneaded by hand")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Bread(Oven, Dough):
    degrees: float = 240.0
    loaves: int = setting(1, "Loaves.", common=True, subject="Result")
    mill: str | None = setting(None, "Mill.", choices=lambda: iter(["old", "new"]))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"flour": None}, "--flour is required: kind of flour. One of oat, rye."),
        ({"flour": ""}, "--flour is required: kind of flour. One of oat, rye."),
        ({"flour": "ry"}, "--flour must be one of oat, rye; got 'ry'. Did you mean 'rye'?"),
        ({"flour": "zzz"}, "--flour must be one of oat, rye; got 'zzz'."),
        ({"mill": "olde"}, "--mill must be one of old, new; got 'olde'. Did you mean 'old'?"),
        ({"mill": ""}, "--mill must be one of old, new; got ''."),
        ({"degrees": 19.9}, "--degrees must be at least 20 and at most 300; got 19.9."),
        ({"degrees": 301}, "--degrees must be at least 20 and at most 300; got 301."),
        ({"degrees": math.nan}, "--degrees must be at least 20 and at most 300; got nan."),
        ({"degrees": math.inf}, "--degrees must be at least 20 and at most 300; got inf."),
        ({"weight": math.nan}, "--weight must be a finite number; got nan."),
        ({"weight": -math.inf}, "--weight must be a finite number; got -inf."),
        ({"degrees": "hot"}, "--degrees must be a number; got 'hot'."),
        ({"degrees": True}, "--degrees must be a number; got True."),
        ({"share": 1}, "--share must be at least 0 and below 1; got 1."),
        ({"fans": 0}, "--fans must be above 0; got 0."),
        ({"fans": 2**31}, "--fans must be above 0 and at most 2147483647; got 2147483648."),
        ({"trays": 1.5}, "--trays must be an integer; got 1.5."),
        ({"trays": -(2**31) - 1}, "--trays must be at least -2147483648; got -2147483649."),
        ({"steam": "no"}, "--steam must be true or false; got 'no'."),
        ({"robot": 2}, "--robot=2 is not supported yet: everything is kneaded by hand."),
    ],
)
def test_mistake_is_one_sentence(given, message):
    with pytest.raises(UserError) as caught:
        Bread(**{"flour": "rye", **given})
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "given",
    [
        {"degrees": 20},
        {"degrees": 300.0},
        {"share": 0.999},
        {"fans": None},
        {"fans": 1},
        {"robot": 0},
        {"mill": "new"},
    ],
)
def test_allowed_values_pass(given):
    bread = Bread(flour="rye", **given)
    assert {name: getattr(bread, name) for name in given} == given


def test_plain_default_keeps_help_bounds_and_subject():
    fields = {field.name: field for field in described(Bread)}
    assert (fields["degrees"].default, Oven(degrees=200).degrees) == (240.0, 200)
    assert fields["degrees"].rule == described(Oven)[0].rule
    with pytest.raises(UserError, match="--degrees must be at least 20"):
        Bread(flour="rye", degrees=0)


def test_subject_is_that_of_the_class_or_of_the_field():
    subjects = {field.name: field.rule.subject for field in described(Bread)}
    assert subjects == {
        **dict.fromkeys(("flour", "yeast", "robot"), "Dough"),
        **dict.fromkeys(("degrees", "share", "fans", "trays", "weight", "steam"), "Oven"),
        "loaves": "Result",
        "mill": "",
    }


def test_help_tells_choices_and_bounds():
    helps = {field.name: field.rule.full_help() for field in described(Bread)}
    assert helps["flour"] == "Kind of flour. One of oat, rye."
    assert helps["degrees"] == "Temperature. At least 20 and at most 300."
    assert helps["fans"] == "Fans. Above 0."
    assert helps["yeast"] == "Kind of yeast."
    assert helps["mill"] == "Mill."


def test_types_are_plain():
    types = {field.name: field.type for field in described(Bread)}
    assert (types["fans"], types["flour"], types["steam"]) == (int, str, bool)


def test_a_field_without_a_rule_is_a_mistake_of_ours():
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Plain(Settings):
        bare: int = 1

    with pytest.raises(TypeError, match=r"Plain\.bare is not made by setting"):
        Plain()


def test_settings_are_made_without_tensorflow():
    code = "import slim_internal.ground.settings, sys; assert 'tensorflow' not in sys.modules"
    assert (
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONPATH": ":".join(sys.path)}
        ).returncode
        == 0
    )
