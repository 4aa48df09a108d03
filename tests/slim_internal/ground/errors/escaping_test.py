"""Text from outside on a terminal."""

import pytest

from slim_internal.ground.errors import escaping

TEXTS = {
    # text, in one line, with its lines.
    "plain": ("größer 猫 \U0001f408", "größer 猫 \U0001f408", "größer 猫 \U0001f408"),
    "color": ("\x1b[31mred", r"\x1b[31mred", r"\x1b[31mred"),
    "c1": ("a\x9b2J", r"a\x9b2J", r"a\x9b2J"),
    "title": ("\x1b]0;t\x07", r"\x1b]0;t\x07", r"\x1b]0;t\x07"),
    "lines": ("a\nb\tc\rd", r"a\nb\tc\rd", "a\nb\tc" + r"\rd"),
    "direction": ("a\u202egpj.exe", r"a\u202egpj.exe", r"a\u202egpj.exe"),
    "no_utf_8": ("a\udcff", "a\udcff", "a\udcff"),
    "nul_and_delete": ("\0\x7f", r"\x00\x7f", r"\x00\x7f"),
}


@pytest.mark.parametrize(("text", "line", "lines"), TEXTS.values(), ids=TEXTS)
def test_escaped(text, line, lines):
    assert escaping.escaped(text) == line
    assert escaping.escaped_lines(text) == lines
