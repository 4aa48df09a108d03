"""Plots: where the points are, which numbers stand at the axes, and what is left out."""

import math
import re

import pytest

from slim_internal.parts.reports import plot
from tests.slim_internal.parts.reports.parsed_page import ParsedPage

AXES = {"x_title": "step", "y_title": "loss"}


def curves(markup: str) -> list[list[tuple[float, float]]]:
    return [
        [tuple(map(float, point.split(","))) for point in attributes["points"].split()]
        for attributes in ParsedPage(markup).all("polyline")
    ]


def numbers(markup: str) -> list[str]:
    return re.findall(r'<text class="(?:end|middle)"[^>]*>([^<]*)</text>', markup)


def test_a_curve_fills_the_plot():
    ((first, middle, last),) = curves(plot.lines("", {"a": [(0, 1), (5, 2), (10, 3)]}, **AXES))
    assert first[0] < middle[0] < last[0]
    assert first[1] > middle[1] > last[1]  # Pixels count from the top.
    assert middle == pytest.approx([(a + b) / 2 for a, b in zip(first, last, strict=True)], abs=0.1)


TICKS = {
    # (lowest, highest) y -> what stands at the axis.
    "fractions": ((0, 1), ["0", "0.2", "0.4", "0.6", "0.8", "1"]),
    "thousands": ((0, 4100), ["0", "1,000", "2,000", "3,000", "4,000"]),
    "small": ((1e-5, 3e-5), ["1e-05", "1.5e-05", "2e-05", "2.5e-05", "3e-05"]),
    "negative": ((-1, 1), ["-1", "-0.5", "0", "0.5", "1"]),
}


@pytest.mark.parametrize(("y_range", "ticks"), TICKS.values(), ids=TICKS)
def test_axes_have_round_numbers(y_range, ticks):
    markup = plot.lines("", {"a": [(0, 0), (1, 1)]}, y_range=y_range, **AXES)
    shown = numbers(markup)[:-6]  # The last six belong to x.
    assert [label.replace("-0,", "0,") for label in shown] == ticks


def test_what_is_not_finite_interrupts_the_curve():
    points = [(0, 1.0), (1, 2.0), (2, math.nan), (3, math.inf), (4, 1.0), (5, 1.5)]
    assert [len(run) for run in curves(plot.lines("", {"a": points}, **AXES))] == [2, 2]


@pytest.mark.parametrize("series", [{}, {"a": []}, {"a": [(1, math.nan)]}], ids=str)
def test_nothing_to_plot_is_said(series):
    assert "nothing to plot" in plot.lines("loss", series, **AXES)


def test_a_single_value_is_a_point():
    parsed = ParsedPage(plot.lines("", {"a": [(3, 0.5)]}, **AXES))
    assert len(parsed.all("circle")) == 1


def test_several_curves_have_a_legend_and_names_are_escaped():
    points = [(0, 0), (1, 1)]
    parsed = ParsedPage(plot.lines("<i>", {"<a>": points, "b": points}, **AXES))
    assert [entry["class"] for entry in parsed.all("li")] == ["line0", "line1"]
    assert "<a>" in parsed.text
    assert not parsed.all("a")
    assert not ParsedPage(plot.lines("", {"a": points}, **AXES)).all("li")


def test_calibration_shows_each_filled_bin_and_its_distance_from_the_diagonal():
    parsed = ParsedPage(plot.calibration("", [(0.1, 0.1, 5), (0.5, 0.0, 0), (0.9, 0.5, 15)]))
    small, large = parsed.all("circle")
    assert float(small["r"]) < float(large["r"])
    gaps = [line for line in parsed.all("line") if line["class"] == "gap"]
    assert [float(gap["y1"]) - float(gap["y2"]) for gap in gaps] == pytest.approx(
        [0, 0.4 * (320 - 44 - 12)], abs=0.2
    )
    assert "15 examples: confidence 90.0%, accuracy 50.0%" in parsed.text


def test_heat_map_is_colored_by_the_fraction_of_the_row():
    parsed = ParsedPage(plot.heat_map("", ["a", "<b>"], [[3, 1], [0, 0]]))
    cells = [cell for cell in parsed.all("td") if "class" in cell]
    assert [(cell["class"], cell.get("style")) for cell in cells] == [
        ("hit", "--heat:75%"),
        ("miss", "--heat:25%"),
        ("miss", None),
        ("hit", None),
    ]
    assert cells[1]["title"] == "a as <b>: 25.0%"
