"""`--help` groups flags, tells choices, bounds and defaults, and leaves out what does nothing."""

import dataclasses

from absl import flags

from slim_internal.ground.cli import config_flags, help_text
from slim_internal.ground.settings import Settings, setting


@dataclasses.dataclass(frozen=True, kw_only=True)
class Oven(Settings, subject="Oven"):
    degrees: float = setting(180.0, "Temperature.", at_least=20)
    fan: bool = setting(True, "Turn the air.")
    gas: str = setting("", "Kind of gas.", unsupported="the oven is electric")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Bread(Oven, subject="Dough"):
    loaves: int = setting(1, "Number of loaves " + "of bread " * 12 + "to bake.")
    flour: str | None = setting(None, "Kind of flour.", choices=("oat", "rye"), required=True)
    salt: float | None = setting(None, "Fraction of salt.", common=True, at_least=0, below=1)
    url: str = setting("http://example.org/", "See http://example.org/" + "very/" * 20)


def _help() -> str:
    values = flags.FlagValues()
    config_flags.define(Bread, values)
    return help_text.help_text("\nBakes.\n", values, __name__, ["nothing"])


def test_groups_choices_bounds_and_defaults():
    assert (
        _help()
        == """Bakes.

Flags are written --name=value; what is shown is the default.

Required:
  --flour=
      Kind of flour. One of oat, rye.

Common:
  --salt=
      Fraction of salt. At least 0 and below 1.

Oven:
  --degrees=180.0
      Temperature. At least 20.
  --[no]fan  (on)
      Turn the air.

Dough:
  --loaves=1
      Number of loaves of bread of bread of bread of bread of bread of bread of
      bread of bread of bread of bread of bread of bread to bake.
  --url=http://example.org/
      See
      http://example.org/"""
        + "very/" * 20
    )


def test_lines_are_readable_in_eighty_columns():
    assert max(len(line) for line in _help().splitlines() if "/very/" not in line) <= 80
