"""What `--help` prints: the script's docstring and its flags in groups."""

import textwrap
from collections.abc import Iterator, Sequence

from absl import flags

_WIDTH = 80
_REQUIRED, _COMMON, _OTHER = "Required", "Common", "Flags"


def help_text(
    docstring: str, flag_values: flags.FlagValues, script: str, shared: Sequence[str]
) -> str:
    """Returns the docstring of a script and its flags: required, common, then by subject.

    Flags that nothing but the default works for are left out.

    Args:
      docstring: What the script is for.
      flag_values: Where its flags are defined.
      script: Name of the module that defines the flags of the script.
      shared: Names of the modules that define those of all programs.
    """
    own = flag_values.get_key_flags_for_module(script)
    groups: dict[str, list[flags.Flag]] = {_REQUIRED: [], _COMMON: []}
    for flag in own:
        if subject := _subject(flag):
            groups.setdefault(subject, []).append(flag)
    groups["All programs"] = [
        flag
        for module in shared
        for flag in flag_values.get_key_flags_for_module(module)
        if flag not in own
    ]
    parts = [docstring.strip(), "Flags are written --name=value; what is shown is the default."]
    parts += [_group(subject, members) for subject, members in groups.items() if members]
    return "\n\n".join(parts)


def _subject(flag: flags.Flag) -> str:
    """Returns the heading that a flag stands under; nothing if it is left out."""
    setting = getattr(flag, "setting", None)
    if setting is None:
        return _OTHER
    if setting.rule.unsupported:
        return ""
    if setting.rule.required:
        return _REQUIRED
    return _COMMON if setting.rule.common else setting.rule.subject or _OTHER


def _group(subject: str, members: Sequence[flags.Flag]) -> str:
    return "\n".join([f"{subject}:", *(line for flag in members for line in _lines(flag))])


def _lines(flag: flags.Flag) -> Iterator[str]:
    if flag.boolean:
        yield f"  --[no]{flag.name}" + ("  (on)" if flag.default else "")
    else:
        default = "" if flag.default is None else flag.default
        yield f"  --{flag.name}={default}"
    # A word of more than the width, such as a URL, stays whole.
    yield from textwrap.wrap(
        flag.help,
        _WIDTH,
        initial_indent=" " * 6,
        subsequent_indent=" " * 6,
        break_long_words=False,
        break_on_hyphens=False,
    )
