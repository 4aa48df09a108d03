"""Text from outside, made harmless for a terminal."""

import re

# Control characters, of which terminals make colors, titles and movements, and the marks that turn
# the direction of writing around.
_CONTROL = re.compile("[\0-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_LINES = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def escaped(text: str) -> str:
    r"""Returns a text in one line, with `\x1b` in the place of a control character."""
    return _CONTROL.sub(_escape, text)


def escaped_lines(text: str) -> str:
    """Returns a text that may have line breaks and tabs, all else as `escaped`."""
    return _LINES.sub(_escape, text)


def _escape(match: re.Match) -> str:
    return match[0].encode("unicode_escape").decode("ascii")
