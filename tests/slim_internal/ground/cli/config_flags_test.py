"""Checks that flags follow the fields of a settings class."""

import dataclasses

import pytest
from absl import flags

from slim_internal.ground.cli import config_flags
from slim_internal.ground.errors import UserError
from slim_internal.ground.settings import Settings, setting


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Base(Settings):
    """How to bake."""

    flour: str = setting("oat", "Kind of flour, in the words of the mill.")
    grams: int = setting(500, "Weight.", at_least=1)
    hours: float | None = setting(None, "How long to wait; until it has risen unless given.")
    salt: bool = setting(True, "Add salt.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe(_Base):
    flour: str = "rye"


def _values(*arguments):
    flag_values = flags.FlagValues()
    config_flags.define(Recipe, flag_values)
    flag_values(["program", *arguments])
    return flag_values


def test_defaults():
    assert config_flags.read(Recipe, _values()) == Recipe()


def test_given_values_have_the_types_of_the_fields():
    flag_values = _values("--flour=oat", "--grams=7", "--hours=1", "--nosalt")
    expected = Recipe(flour="oat", grams=7, hours=1.0, salt=False)
    assert config_flags.read(Recipe, flag_values) == expected


def test_tilde_is_the_users_home(monkeypatch):
    monkeypatch.setenv("HOME", "/home/baker")
    assert config_flags.read(Recipe, _values("--flour=~/rye~")).flour == "/home/baker/rye~"


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--grams=much", "--grams must be an integer; got 'much'."),
        ("--grams=1.5", "--grams must be an integer; got '1.5'."),
        ("--hours=", "--hours must be a number; got ''."),
        ("--salt=some", "--salt must be true or false; got 'some'."),
    ],
)
def test_wrong_type_is_refused(argument, message):
    with pytest.raises(flags.IllegalFlagValueError) as caught:
        _values(argument)
    assert str(caught.value) == message


def test_hexadecimal_numbers_are_read():
    assert config_flags.read(Recipe, _values("--grams=0x10")).grams == 16


def test_help_comes_from_the_field():
    flag_values = _values()
    assert flag_values["flour"].help == "Kind of flour, in the words of the mill."
    assert flag_values["grams"].help == "Weight. At least 1."


def test_classes_of_one_program_may_share_a_setting():
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Cleaning(Settings):
        salt: bool = setting(True, "Add salt.")
        water: int = setting(1, "Litres.")

    flag_values = flags.FlagValues()
    config_flags.define(Recipe, flag_values)
    config_flags.define(Cleaning, flag_values)
    flag_values(["program", "--nosalt", "--water=3"])
    assert config_flags.read(Recipe, flag_values) == Recipe(salt=False)
    assert config_flags.read(Cleaning, flag_values) == Cleaning(salt=False, water=3)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Check(Settings):
    verify: str | None = setting(None, "Look again.", choices=("files", "decode"), alone="files")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], None),
        (["--verify"], "files"),
        (["--verify=true"], "files"),
        (["--noverify"], None),
        (["--verify=false"], None),
        (["--verify=files"], "files"),
        (["--verify=decode"], "decode"),
    ],
)
def test_a_setting_whose_flag_may_stand_alone(arguments, expected):
    flag_values = flags.FlagValues()
    config_flags.define(Check, flag_values)
    assert flag_values(["program", *arguments, "rest"]) == ["program", "rest"]
    assert config_flags.read(Check, flag_values).verify == expected


def test_other_values_of_such_a_flag_are_mistakes():
    flag_values = flags.FlagValues()
    config_flags.define(Check, flag_values)
    flag_values(["program", "--verify=decod"])
    with pytest.raises(UserError, match="must be one of files, decode; got 'decod'"):
        config_flags.read(Check, flag_values)


def test_addresses_are_refused_and_file_addresses_are_paths():
    assert config_flags.read(Recipe, _values("--flour=file:///a%20b")).flour == "/a b"
    with pytest.raises(UserError, match=r"^--flour=gs://b/x: gs:// is not supported"):
        config_flags.read(Recipe, _values("--flour=gs://b/x"))
