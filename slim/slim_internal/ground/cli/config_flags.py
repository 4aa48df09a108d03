"""Flags from a settings class, so that a setting is declared once.

The fields of the class give names, types, defaults and help. A library takes the settings and
never sees a flag.
"""

import typing

from absl import flags

from slim_internal.ground.files import paths
from slim_internal.ground.settings import Described, Settings, described, wrong_type

flags.disclaim_key_flags()  # Flags defined here belong to the script that calls `define`.

_SETTINGS = typing.TypeVar("_SETTINGS", bound=Settings)


_PARSERS: dict[type, flags.ArgumentParser] = {
    bool: flags.BooleanParser(),
    float: flags.FloatParser(),
    int: flags.IntegerParser(),
    str: flags.ArgumentParser(),
}


class _AloneParser(flags.ArgumentParser):
    """Parses a flag that may stand without a value: what absl makes of it is true or false."""

    def __init__(self, setting: Described):
        super().__init__()
        self._values = {"true": setting.rule.alone, "false": setting.default}

    def parse(self, argument: typing.Any) -> typing.Any:
        return self._values.get(str(argument).lower(), argument)


class SettingFlag(flags.Flag):
    """The flag of a setting.

    Attributes:
      setting: What it sets.
    """

    def __init__(self, setting: Described):
        self.setting = setting
        super().__init__(
            _AloneParser(setting) if setting.rule.alone else _PARSERS[setting.type],
            flags.ArgumentSerializer(),
            setting.name,
            setting.default,
            setting.rule.full_help(),
            boolean=setting.type is bool or bool(setting.rule.alone),
        )

    def _parse(self, argument: typing.Any) -> typing.Any:
        try:
            return self.parser.parse(argument)
        except (OverflowError, TypeError, ValueError) as error:
            message = str(wrong_type(self.setting, argument))
            raise flags.IllegalFlagValueError(message) from error


def define(settings_class: type[Settings], flag_values: flags.FlagValues = flags.FLAGS) -> None:
    """Defines one flag for each field of a settings class.

    Args:
      settings_class: A class whose fields are bool, int, float or str, or one of these | None.
      flag_values: Where to define them.
    """
    for setting in described(settings_class):  # type: ignore[arg-type]
        if setting.name not in flag_values:  # Two classes of one program may share a setting.
            flags.DEFINE_flag(SettingFlag(setting), flag_values)


def read(settings_class: type[_SETTINGS], flag_values: flags.FlagValues = flags.FLAGS) -> _SETTINGS:
    """Returns the settings with the values that the user gave, and only these passed on as given.

    A shell leaves the `~` in `--dataset_dir=~/data` to the program.

    Raises:
      UserError: A value is not allowed, or is an address where only local paths are.
    """
    values: dict[str, typing.Any] = {}
    for setting in described(settings_class):  # type: ignore[arg-type]
        flag = flag_values[setting.name]
        if not _is_untouched(flag):
            value, what = flag.value, f"--{setting.name}"
            values[setting.name] = paths.local(value, what) if isinstance(value, str) else value
    return settings_class(**values)


def _is_untouched(flag: flags.Flag) -> bool:
    """Returns whether nobody has said anything about a flag; then the class has the default.

    Another class may have defined it, with a default of its own.
    """
    return (
        isinstance(flag, SettingFlag)
        and flag.using_default_value
        and flag.default == flag.setting.default
    )
