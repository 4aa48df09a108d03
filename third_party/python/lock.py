"""Says what is wrong with requirements.lock: stale, incomplete, too large, or not to be trusted."""

import dataclasses
import importlib.metadata
import pathlib
import re
from collections.abc import Iterable

from packaging import markers, requirements

from third_party.python import describe_distributions

_REMEDY = "Run: tools/bazel run //tools:update_lock"


@dataclasses.dataclass(frozen=True)
class Pin:
    """One distribution of the lock: its version, where it is needed, how many files it may be."""

    version: str
    marker: markers.Marker | None
    num_hashes: int

    @property
    def applies_here(self) -> bool:
        """Whether this Python on this platform installs it."""
        return self.marker is None or self.marker.evaluate()


def _statements(text: str) -> list[str]:
    """Returns the lines of a requirements file: joined where continued, without comments."""
    lines = re.sub(r"\\\n", " ", text).splitlines()
    stripped = (re.sub(r"(^|\s)#.*", "", line).strip() for line in lines)
    return [line for line in stripped if line]


def parse_requirements(text: str) -> dict[str, requirements.Requirement]:
    """Returns the requirements of a requirements.in by normal name."""
    parsed = map(requirements.Requirement, _statements(text))
    return {describe_distributions.normal_name(each.name): each for each in parsed}


def parse_lock(text: str) -> dict[str, Pin]:
    """Returns the pins of a requirements.lock by normal name.

    Raises:
      ValueError: A line is no hashed pin; an option or an address has no place in the lock.
    """
    pins = {}
    for statement in _statements(text):
        what, *hashes = statement.split("--hash=sha256:")
        try:
            requirement = requirements.Requirement(what)
        except requirements.InvalidRequirement:
            raise ValueError(f"{what!r} is not a requirement") from None
        version = re.fullmatch(r"==([\w.+!]+)", str(requirement.specifier))
        if requirement.url or not version:
            raise ValueError(f"{what!r} does not name one version with ==")
        name = describe_distributions.normal_name(requirement.name)
        pins[name] = Pin(version[1], requirement.marker, len(hashes))
    return pins


def without(text: str, pins: Iterable[str]) -> str:
    """Returns a lock without the statements about some distributions, given by normal name."""
    kept, keep = [], True
    for line in text.splitlines(keepends=True):
        if not line.startswith((" ", "#")):  # The first line of a statement.
            keep = describe_distributions.normal_name(line.partition("==")[0]) not in pins
        kept += [line] if keep or line.startswith("#") else []
    return "".join(kept)


def extra_problems(name: str, extra_in: str, extra_lock: str, main_lock: str) -> list[str]:
    """Compares the lock of an extra with its requirements and with the main lock.

    Args:
      name: Name of the extra.
      extra_in: Text of its requirements.
      extra_lock: Text of its lock.
      main_lock: Text of requirements.lock, which it adds to.

    Returns:
      One line per fault, none when the lock is fresh.
    """
    file = f"extras/{name}.lock"
    try:
        added, pins = parse_lock(extra_lock), parse_lock(main_lock)
    except ValueError as error:
        return [f"{file}: {error}. {_REMEDY}"]
    found = [f"{each} has no hash" for each, pin in added.items() if not pin.num_hashes]
    found += [f"{each} is in requirements.lock already" for each in added.keys() & pins.keys()]
    for each, need in parse_requirements(extra_in).items():
        found.append(_pin_problem(each, need, {**pins, **added}, f"{name}.in"))
    return [f"{file}: {problem}. {_REMEDY}" for problem in sorted(filter(None, found))]


def _installed_needs(directory: pathlib.Path) -> dict[str, list[requirements.Requirement]]:
    """Returns what each installed distribution says it needs on this Python and platform."""
    return {
        describe_distributions.normal_name(
            distribution.metadata["Name"]
        ): describe_distributions.requirements_here(distribution)
        for distribution in importlib.metadata.distributions(path=[str(directory)])
    }


def _pin_problem(name: str, need: requirements.Requirement, pins: dict[str, Pin], by: str) -> str:
    """Returns what keeps the lock from satisfying a need, or nothing."""
    if name not in pins:
        return f"{name} is missing, needed by {by}"
    if not need.specifier.contains(pins[name].version, prereleases=True):
        return f"{name} is {pins[name].version}, but {by} needs {need.specifier}"
    return ""


def problems(requirements_in: str, requirements_lock: str, installed: pathlib.Path) -> list[str]:
    """Compares a lock with the requirements it was made from.

    Args:
      requirements_in: Text of the requirements.
      requirements_lock: Text of the lock.
      installed: Folder the lock was installed in, whose distributions say what they need.

    Returns:
      One line per fault, none when the lock is fresh.
    """
    try:
        pins = parse_lock(requirements_lock)
    except ValueError as error:
        return [f"requirements.lock: {error}. {_REMEDY}"]
    needs = _installed_needs(installed)
    found = [f"{name} has no hash" for name, pin in pins.items() if not pin.num_hashes]

    reached: set[str] = set()
    waiting = [
        (name, need, "requirements.in")
        for name, need in parse_requirements(requirements_in).items()
    ]
    while waiting:
        name, need, by = waiting.pop()
        found.append(_pin_problem(name, need, pins, by))
        if name not in reached:
            reached.add(name)
            waiting += [
                (describe_distributions.normal_name(n.name), n, name) for n in needs.get(name, [])
            ]
    found += [
        f"{name} is not needed by anything"
        for name, pin in pins.items()
        if pin.applies_here and name not in reached
    ]
    return [f"requirements.lock: {problem}. {_REMEDY}" for problem in sorted(set(found)) if problem]
