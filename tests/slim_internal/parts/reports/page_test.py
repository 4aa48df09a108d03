"""Pages: complete, self-contained, and escaped wherever text goes."""

import pytest

from slim_internal.parts.reports import page, table
from tests.slim_internal.parts.reports.parsed_page import ParsedPage

NASTY = "<script>alert(\"x\")</script> & 'co'"


def test_text_is_escaped_wherever_it_goes():
    sections = [
        page.section(
            NASTY,
            page.paragraph(NASTY),
            page.listing([NASTY]),
            page.folded(page.escape(NASTY), 31, NASTY),
            table.render(NASTY, [NASTY, NASTY], [[NASTY, NASTY]]),
            NASTY,
        )
    ]
    text = page.render(
        NASTY, sections, lead=NASTY, verdicts=[(page.BAD, NASTY, NASTY)], window_title=NASTY
    )
    parsed = ParsedPage(text)
    assert not parsed.all("script")
    assert parsed.text.count(NASTY) == 16
    assert "&amp;amp;" not in text  # Escaped once only.


def test_page_needs_nothing_beside_it():
    text = page.render("title", [page.section("heading", "text")])
    parsed = ParsedPage(text)
    assert parsed.all("html") == [{"lang": "en"}]
    assert not parsed.all("link")
    assert "http" not in text
    assert "url(" not in text
    assert "prefers-color-scheme: dark" in text


@pytest.mark.parametrize(
    ("length", "items", "folds", "rest"),
    [(0, 0, 0, None), (30, 30, 0, None), (31, 31, 1, None), (200, 200, 1, None), (201, 200, 1, 1)],
)
def test_long_listings_are_folded_and_cut(length, items, folds, rest):
    parsed = ParsedPage(page.listing(["x"] * length, "all.txt has more"))
    assert len(parsed.all("li")) == items
    assert len(parsed.all("details")) == folds
    assert ("more are not shown; all.txt has more." in parsed.text) == (rest is not None)


def test_markup_stays_what_it_is():
    markup = page.Markup("<b>bold</b>")
    assert page.escape(markup) == "<b>bold</b>"
    assert page.join([markup, " & "]) == "<b>bold</b> &amp; "
