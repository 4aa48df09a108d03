"""All thumbnails on one image, with their captions below."""

import contextlib
import functools
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from slim_internal.parts.reports.thumbnail import SIDE, Thumbnail

_MARGIN = 32
_GAP = 16
_CAPTION = 44
_HEADER = 84
_PAPER, _INK, _SOFT, _GROUND = "#ffffff", "#1d1d1f", "#5f6368", "#f1f3f4"
_TITLE, _NAME, _DETAIL = 30, 16, 13  # Sizes of the letters in pixels.

# The font that Pillow brings knows English letters only. These, where the system has them, are for
# the names that it cannot write.
_SYSTEM_FONTS = ("DejaVuSans.ttf", "NotoSansCJK-Regular.ttc", "Arial Unicode.ttf")
_NO_LETTER = "\U0010ffff"


def draw(title: str, subtitle: str, rows: Sequence[Sequence[Thumbnail]]) -> Image.Image:
    """Returns a sheet of thumbnails, row by row, below a heading of two lines."""
    columns = max((len(row) for row in rows), default=4)
    step_x, step_y = SIDE + _GAP, SIDE + _CAPTION + _GAP
    width = 2 * _MARGIN + max(columns, 4) * step_x - _GAP
    sheet = Image.new("RGB", (width, _HEADER + len(rows) * step_y + _MARGIN), _PAPER)
    pen = ImageDraw.Draw(sheet)
    inside = width - 2 * _MARGIN
    _write(pen, (_MARGIN, 18), title, _INK, _TITLE, inside)
    _write(pen, (_MARGIN, 56), subtitle, _SOFT, _DETAIL, inside)
    for y, row in enumerate(rows):
        for x, shown in enumerate(row):
            _place(sheet, shown, _MARGIN + x * step_x, _HEADER + y * step_y)
    return sheet


def _place(sheet: Image.Image, shown: Thumbnail, left: int, top: int) -> None:
    pen = ImageDraw.Draw(sheet)
    pen.rectangle((left, top, left + SIDE - 1, top + SIDE - 1), _GROUND)
    width, height = shown.image.size
    sheet.paste(shown.image, (left + (SIDE - width) // 2, top + (SIDE - height) // 2))
    _write(pen, (left, top + SIDE + 5), shown.name, _INK, _NAME, SIDE)
    _write(pen, (left, top + SIDE + 26), shown.detail, _SOFT, _DETAIL, SIDE)


def _write(
    pen: ImageDraw.ImageDraw, at: tuple[int, int], text: str, color: str, size: int, width: int
) -> None:
    """Writes a line, shortened if it is wider than `width` pixels."""
    text = text.encode("utf-8", "replace").decode()  # Names of files need not be text.
    font = _font(text, size)
    pen.text(at, _fit(text, font, width), color, font)


def _font(text: str, size: int) -> ImageFont.FreeTypeFont:
    """Returns the first font that has all letters of a text, or the first of all if none has."""
    fonts = _fonts(size)
    return next((font for font in fonts if _has(font, text)), fonts[0])


@functools.cache
def _fonts(size: int) -> list[ImageFont.FreeTypeFont]:
    fonts = [ImageFont.load_default(size)]
    for name in _SYSTEM_FONTS:
        with contextlib.suppress(OSError):
            fonts.append(ImageFont.truetype(name, size))
    return fonts


def _has(font: ImageFont.FreeTypeFont, text: str) -> bool:
    absent = bytes(font.getmask(_NO_LETTER))  # The box that stands for any missing letter.
    return all(bytes(font.getmask(letter)) != absent for letter in set(text))


def _fit(text: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "...") > width:
        text = text[:-1]
    return text + "..."
