"""Tables of a page."""

from slim_internal.parts.reports import table
from tests.slim_internal.parts.reports.parsed_page import ParsedPage


def test_numbers_stand_to_the_right_and_names_are_headings():
    parsed = ParsedPage(
        table.render(
            "caption", ["Label", "Class", "Images"], [["0", "cat", "1,000"]], text_columns=2
        )
    )
    assert [head["scope"] for head in parsed.all("th")] == ["col"] * 3 + ["row"]
    assert [cell.get("class") for cell in parsed.all("td")] == [None, "number"]
    assert len(parsed.all("caption")) == 1


def test_bars_are_as_long_as_their_fraction():
    parsed = ParsedPage(table.render("", ["a"], [["x"], ["y"]], fractions=[1, 0.25]))
    assert [span["style"] for span in parsed.all("span")] == ["width:100.0%", "width:25.0%"]
