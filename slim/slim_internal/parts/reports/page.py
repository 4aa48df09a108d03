"""An HTML page that needs nothing beside it: no script, no font, no file, no network.

Text is a plain `str` and is escaped wherever it goes; only `Markup` is taken as it stands.
"""

import functools
import html
import os
from collections.abc import Iterable, Sequence

_STYLE = os.path.join(os.path.dirname(__file__), "style.css")
# Longer tables and lists are folded up, or cut after so many entries.
_LONG = 30
_MAX_LISTED = 200

# Verdict -> its class in the style sheet.
GOOD, BAD, NOTE = "good", "bad", "note"


class Markup(str):
    """HTML that is taken as it stands."""


NOTHING = Markup("")


def escape(text: str) -> Markup:
    """Returns text as HTML; what is HTML already stays as it is."""
    return text if isinstance(text, Markup) else Markup(html.escape(text))


def join(parts: Iterable[str]) -> Markup:
    """Returns texts and pieces of HTML, one after the other."""
    return Markup("".join(map(escape, parts)))


def render(
    title: str,
    sections: Iterable[Markup],
    *,
    lead: str = "",
    verdicts: Sequence[tuple[str, str, str]] = (),
    window_title: str = "",
) -> str:
    """Returns a page.

    Args:
      title: Its heading.
      sections: What `section` returned.
      lead: A sentence below the heading.
      verdicts: The most important findings: (`GOOD`, `BAD` or `NOTE`; of what; a sentence).
      window_title: Title of the window; the heading unless given.
    """
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(window_title or title)}</title>
<style>
{_style()}</style>
</head>
<body>
<header>
<h1>{escape(title)}</h1>
{paragraph(lead, "lead") if lead else ""}{_verdicts(verdicts)}</header>
<main>
{join(sections)}</main>
</body>
</html>
"""


def section(title: str, *parts: str) -> Markup:
    """Returns a part of a page with a heading."""
    return Markup(f"<section>\n<h2>{escape(title)}</h2>\n{join(parts)}\n</section>\n")


def paragraph(text: str, kind: str = "") -> Markup:
    """Returns a paragraph; `kind` is its class in the style sheet."""
    attribute = f' class="{kind}"' if kind else ""
    return Markup(f"<p{attribute}>{escape(text)}</p>\n")


def link(text: str, address: str) -> Markup:
    """Returns a link to another page."""
    return Markup(f'<a href="{html.escape(address)}">{escape(text)}</a>')


def beside(*parts: Markup) -> Markup:
    """Returns parts that stand side by side where the window is wide enough."""
    return Markup(f'<div class="beside">\n{join(parts)}</div>\n')


def listing(lines: Sequence[str], more: str = "") -> Markup:
    """Returns a numbered list, cut where it is too long for anybody.

    Args:
      lines: Its entries.
      more: Where all entries are, said after those that are shown.
    """
    if not lines:
        return NOTHING
    items = join(Markup(f"<li>{escape(line)}</li>\n") for line in lines[:_MAX_LISTED])
    cut = len(lines) - _MAX_LISTED
    rest = paragraph(f"{cut:,} more are not shown{more and '; ' + more}.") if cut > 0 else ""
    return folded(Markup(f'<ol class="places">\n{items}</ol>\n{rest}'), len(lines), "All of them")


def folded(body: Markup, length: int, title: str) -> Markup:
    """Returns a table or list of `length` entries, to be opened by a click if that is many."""
    if length <= _LONG:
        return body
    return Markup(
        f"<details>\n<summary>{escape(title)} ({length:,})</summary>\n{body}\n</details>\n"
    )


def _verdicts(verdicts: Sequence[tuple[str, str, str]]) -> Markup:
    if not verdicts:
        return NOTHING
    items = "".join(
        f'<li class="{state}"><strong>{escape(subject)}:</strong> {escape(text)}</li>\n'
        for state, subject, text in verdicts
    )
    return Markup(f'<ul class="verdicts">\n{items}</ul>\n')


@functools.cache
def _style() -> str:
    with open(_STYLE, encoding="utf-8") as file:
        return file.read()
