"""Checks that flags follow the fields and the docstring of a dataclass."""

import dataclasses

import pytest
from absl import flags

from slim_internal.ground.cli import config_flags


@dataclasses.dataclass(frozen=True)
class _Base:
    """How to bake.

    Attributes:
      flour: Kind of flour,
        in the words of the mill.
      grams: Weight.
      hours: How long to wait; None means until it has risen.
      salt: Whether to salt.
    """

    flour: str
    grams: int = 500
    hours: float | None = None
    salt: bool = True


@dataclasses.dataclass(frozen=True)
class Recipe(_Base):
    __doc__ = _Base.__doc__
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
    assert config_flags.read(Recipe, flag_values) == Recipe("oat", 7, 1.0, False)


def test_tilde_is_the_users_home(monkeypatch):
    monkeypatch.setenv("HOME", "/home/baker")
    assert config_flags.read(Recipe, _values("--flour=~/rye~")).flour == "/home/baker/rye~"


def test_wrong_type_is_refused():
    with pytest.raises(flags.IllegalFlagValueError, match="grams"):
        _values("--grams=much")


def test_help_comes_from_the_docstring():
    flag_values = _values()
    assert flag_values["flour"].help == "Kind of flour, in the words of the mill."
    assert flag_values["salt"].help == "Whether to salt."
