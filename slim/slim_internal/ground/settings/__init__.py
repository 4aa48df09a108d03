"""What a user can choose: default, help and what is allowed stand once, at the field.

    @dataclasses.dataclass(frozen=True, kw_only=True)
    class ScheduleSettings(Settings, subject="Learning rate"):
        learning_rate: float = setting(0.01, "Initial learning rate.", at_least=0)

Small classes like this one stand beside what they set; the settings of a program inherit them, so
that its constructor and its flags are flat. A plain default in a subclass (`learning_rate: float =
0.1`) keeps the help and the bounds of the field it replaces. Settings check themselves when they
are made, and say the same mistake in the same sentence wherever it is made. `cli.config_flags`
makes flags of them. Nothing here imports TensorFlow, so that `--help` answers at once.
"""

import dataclasses
import functools
import inspect
import math
import numbers
import re
import types
import typing
from collections.abc import Callable, Iterable
from typing import Any

from slim_internal.ground.errors import UserError, nearest

_SETTINGS = typing.TypeVar("_SETTINGS", bound="Settings")
_RULE = "slim_setting"
# Integers without a bound of their own; more than TensorFlow takes would end in a traceback.
_INTEGERS = (-(2**31), 2**31 - 1)
# Type of a field -> what it accepts, and that in words.
_KINDS: dict[type, tuple[type, str]] = {
    bool: (bool, "true or false"),
    float: (numbers.Real, "a number"),
    int: (numbers.Integral, "an integer"),
    str: (object, "text"),  # Paths, too.
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rule:
    """What a setting means and which values it takes.

    Attributes:
      help: What `--help` says of it; bounds and choices are added.
      at_least: Minimum.
      at_most: Maximum.
      above: What the value must exceed.
      below: What the value must stay below.
      choices: All values that it takes; empty for any. A function is called only to complain,
        because it may import what takes time.
      alone: What the flag means without a value, "--verify" for "--verify=files"; empty if it
        needs one.
      required: Whether it must be given.
      unless: Another setting that takes its place, if it is given.
      common: Whether most users choose it.
      unsupported: Why nothing but the default works yet, for the error message; `--help` leaves
        the flag out. Empty if it works.
      subject: Heading of its group in `--help`; that of the class unless given.
    """

    help: str
    at_least: float | None = None
    at_most: float | None = None
    above: float | None = None
    below: float | None = None
    choices: Iterable[str] | Callable[[], Iterable[str]] = ()
    alone: str = ""
    required: bool = False
    unless: str = ""
    common: bool = False
    unsupported: str = ""
    subject: str = ""

    def bounds(self) -> str:
        """Returns the bounds in words: "at least 0 and below 1", or nothing."""
        words = (
            ("at least", self.at_least),
            ("above", self.above),
            ("at most", self.at_most),
            ("below", self.below),
        )
        return " and ".join(f"{word} {bound}" for word, bound in words if bound is not None)

    def within(self, value: float) -> bool:
        """Returns whether a number keeps the bounds."""
        return (
            (self.at_least is None or value >= self.at_least)
            and (self.at_most is None or value <= self.at_most)
            and (self.above is None or value > self.above)
            and (self.below is None or value < self.below)
        )

    def full_help(self) -> str:
        """Returns the help with choices and bounds."""
        extra = self.bounds()
        if self.choices and not callable(self.choices):
            extra = f"one of {', '.join(self.choices)}"
        return f"{self.help} {extra[:1].upper()}{extra[1:]}." if extra else self.help


def setting(default: Any, help: str, **rule: Any) -> Any:
    """Returns a dataclass field with a default and the `Rule` that the other arguments give."""
    return dataclasses.field(default=default, metadata={_RULE: Rule(help=help, **rule)})


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """Base of all settings; checks them when they are made.

    Attributes:
      given: Names of the settings that were given when it was made; others have their defaults.

    Raises:
      UserError: For the first value that is not allowed.
    """

    given: typing.ClassVar[frozenset[str]] = frozenset()

    def __init_subclass__(cls, *, subject: str = "", **keywords: Any):
        super().__init_subclass__(**keywords)
        cls._subject = subject

    def __new__(cls, **values: Any):
        """Remembers which values were given, before the dataclass fills in the others."""
        made = super().__new__(cls)
        object.__setattr__(made, "given", frozenset(values))
        return made

    def __post_init__(self):
        values = [(field, getattr(self, field.name)) for field in described(type(self))]
        for field, value in values:
            replaced = field.rule.unless and getattr(self, field.rule.unless) is not None
            if field.rule.required and not replaced and (value is None or value == ""):
                raise UserError(_missing(field.name, field.rule))
        for field, value in values:
            _require(field, value)


def take_over(settings: Settings, older: str, name: str) -> None:
    """Gives a setting the value that was given by another name, when settings are made.

    Args:
      settings: The settings, in their `__post_init__`.
      older: The setting that is read.
      name: What else it may be called; None where it was not.

    Raises:
      UserError: If both were given and differ.
    """
    values = getattr(settings, older), getattr(settings, name)
    if values[1] is None:
        return
    if values[0] not in (None, values[1]):
        raise UserError(
            f"--{older}={values[0]} and --{name}={values[1]} mean the same and differ: give one."
        )
    object.__setattr__(settings, older, values[1])


def replaced(settings: _SETTINGS, **values: Any) -> _SETTINGS:
    """Returns settings with other values, which still know what was given in the beginning."""
    new = dataclasses.replace(settings, **values)
    object.__setattr__(new, "given", settings.given)
    return new


@dataclasses.dataclass(frozen=True)
class Described:
    """A field of a settings class.

    Attributes:
      name: Name of the field and of its flag.
      type: bool, float, int or str.
      default: The value unless another is given.
      rule: What it means, its subject filled in.
    """

    name: str
    type: type
    default: Any
    rule: Rule


@functools.cache
def described(settings_class: type[Settings]) -> tuple[Described, ...]:
    """Returns the fields of a settings class, those of its bases first."""
    hints = typing.get_type_hints(settings_class)
    return tuple(
        Described(
            field.name,
            _plain_type(hints[field.name]),
            field.default,
            _rule(settings_class, field.name),
        )
        for field in dataclasses.fields(settings_class)
    )


def wrong_type(setting: Described, value: Any) -> UserError:
    """Returns the error for a value of another type than the setting has."""
    return UserError(f"--{setting.name} must be {_KINDS[setting.type][1]}; got {value!r}.")


def missing(settings: Settings, name: str) -> UserError:
    """Returns the error for a setting that has to be given in the end."""
    (rule,) = (field.rule for field in described(type(settings)) if field.name == name)
    return UserError(_missing(name, rule))


def _rule(settings_class: type[Settings], name: str) -> Rule:
    """Returns the rule of a field: that of the nearest class that has one for it."""
    rule = None
    for base in settings_class.__mro__:
        field = base.__dict__.get("__dataclass_fields__", {}).get(name)
        if field is None or name not in inspect.get_annotations(base):
            continue
        rule = rule or field.metadata.get(_RULE)
        subject = base.__dict__.get("_subject", "")
        if rule and (rule.subject or subject):
            return dataclasses.replace(rule, subject=rule.subject or subject)
    if rule is None:
        raise TypeError(f"{settings_class.__name__}.{name} is not made by setting().")
    return rule


def _plain_type(annotation: Any) -> type:
    """Returns T for both T and `T | None`."""
    if isinstance(annotation, types.UnionType):
        (annotation,) = (part for part in annotation.__args__ if part is not types.NoneType)
    return annotation


def _require(field: Described, value: Any) -> None:
    name, rule = field.name, field.rule
    if rule.unsupported and value != field.default:
        raise UserError(f"--{name}={value} is not supported yet: {rule.unsupported}.")
    if value is None:
        return
    kind, _ = _KINDS[field.type]
    if not isinstance(value, kind) or (isinstance(value, bool) and field.type in (float, int)):
        raise wrong_type(field, value)
    if field.type in (float, int):
        _require_bounds(field, value)
    if rule.choices:
        _require_choice(name, rule, value)


def _missing(name: str, rule: Rule) -> str:
    meaning = re.split(r"[.;](?:\s|$)", rule.help)[0]  # Its first sentence, or part of one.
    text = f"--{name} is required: {meaning[:1].lower()}{meaning[1:]}."
    return f"{text} One of {', '.join(_choices(rule))}." if rule.choices else text


def _require_bounds(field: Described, value: float) -> None:
    rule = field.rule
    if field.type is int:
        minimum, maximum = _INTEGERS
        if rule.at_least is None and value < minimum:
            rule = dataclasses.replace(rule, at_least=minimum)
        if rule.at_most is None and value > maximum:
            rule = dataclasses.replace(rule, at_most=maximum)
    if not rule.within(value):  # A NaN compares false.
        raise UserError(f"--{field.name} must be {rule.bounds()}; got {value}.")
    if not -math.inf < value < math.inf:
        raise UserError(f"--{field.name} must be a finite number; got {value}.")


def _require_choice(name: str, rule: Rule, value: Any) -> None:
    choices = _choices(rule)
    if value in choices:
        return
    match = nearest(value, choices)
    hint = f" Did you mean {match!r}?" if match is not None else ""
    raise UserError(f"--{name} must be one of {', '.join(choices)}; got {value!r}.{hint}")


def _choices(rule: Rule) -> tuple[str, ...]:
    return tuple(rule.choices() if callable(rule.choices) else rule.choices)
