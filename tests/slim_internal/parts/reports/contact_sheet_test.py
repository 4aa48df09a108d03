"""Sheets of thumbnails."""

import pytest
from PIL import Image

from slim_internal.parts.reports import contact_sheet, thumbnail


class Font:
    """A font that has certain letters; all others look the same."""

    def __init__(self, letters: str):
        self.letters = letters

    def getmask(self, letter: str) -> bytes:
        return letter.encode() if letter in self.letters else b"?"


def test_names_are_written_in_a_font_that_has_their_letters(monkeypatch):
    fonts = [Font("abc "), Font("abcü "), Font("日本")]
    monkeypatch.setattr(contact_sheet, "_fonts", lambda size: fonts)
    chosen = [
        fonts.index(contact_sheet._font(text, 16)) for text in ("a b", "aü", "日本", "日ü", "")
    ]
    assert chosen == [0, 1, 2, 0, 0]


@pytest.mark.parametrize("rows", [[], [1], [3, 8, 2]], ids=str)
def test_draw_has_room_for_every_row(rows):
    shown = thumbnail.make(Image.new("RGB", (20, 20), "red"), "name \udcff" * 30, "detail")
    sheet = contact_sheet.draw("title", "subtitle", [[shown] * length for length in rows])
    assert sheet.height > len(rows) * thumbnail.SIDE
    assert sheet.width > max([4, *rows]) * thumbnail.SIDE
    red = sheet.getcolors(1 << 24)
    counts = {color: number for number, color in red}
    assert counts.get((255, 0, 0), 0) == sum(rows) * 180 * 180
