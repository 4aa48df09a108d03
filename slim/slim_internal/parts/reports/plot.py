"""Plots of a page as inline SVG: they take the colors of the page, light or dark."""

import dataclasses
import math
from collections.abc import Mapping, Sequence

from slim_internal.parts.reports.page import Markup, escape, paragraph

Point = tuple[float, float]

_WIDTH, _HEIGHT = 560, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 32, 12, 44  # Margins, for the labels of the axes.
_MAX_TICKS = 6
_NUM_COLORS = 6  # The style sheet has line0 to line5.


@dataclasses.dataclass(frozen=True)
class _Axis:
    """From values to pixels.

    Attributes:
      low: Smallest value.
      high: Largest value, larger than `low`.
      start: Pixel of `low`.
      end: Pixel of `high`.
    """

    low: float
    high: float
    start: float
    end: float

    def pixel(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Returns round values, at most `_MAX_TICKS`."""
        raw = (self.high - self.low) / (_MAX_TICKS - 1)
        power = 10 ** math.floor(math.log10(raw))
        step = next(power * digit for digit in (1, 2, 5, 10) if power * digit >= raw * 0.999)
        first = math.ceil(self.low / step - 1e-9)
        return [n * step for n in range(first, math.floor(self.high / step + 1e-9) + 1)]


def lines(
    caption: str,
    series: Mapping[str, Sequence[Point]],
    *,
    x_title: str,
    y_title: str,
    y_range: tuple[float, float] | None = None,
) -> Markup:
    """Returns a plot of one or several curves.

    Args:
      caption: What it shows.
      series: Name -> points (x, y) in the order of x; values that are not finite interrupt the
        curve.
      x_title: What x is, with its unit.
      y_title: What y is, with its unit.
      y_range: Lowest and highest y; those of the points unless given.
    """
    finite = {name: _runs(points) for name, points in series.items()}
    xs = [x for runs in finite.values() for run in runs for x, _ in run]
    ys = [y for runs in finite.values() for run in runs for _, y in run]
    if not xs:
        return paragraph(f"{caption}: there is nothing to plot yet.")
    x_axis = _axis(min(xs), max(xs), _LEFT, _WIDTH - _RIGHT)
    y_axis = _axis(*(y_range or (min(ys), max(ys))), _HEIGHT - _BOTTOM, _TOP)
    drawn = ""
    for number, runs in enumerate(finite.values()):
        kind = f"line{number % _NUM_COLORS}"
        for run in runs:
            pixels = [(x_axis.pixel(x), y_axis.pixel(y)) for x, y in run]
            drawn += _curve(pixels, kind)
    return _figure(caption, _frame(x_axis, y_axis, x_title, y_title) + drawn, list(series))


def calibration(caption: str, bins: Sequence[tuple[float, float, int]]) -> Markup:
    """Returns a calibration diagram: how often the answer is right, by how sure it is.

    Args:
      caption: What it shows.
      bins: (mean confidence, accuracy, number of examples) of each bin; 0..1, 0..1.
    """
    x_axis = _Axis(0, 1, _LEFT, _WIDTH - _RIGHT)
    y_axis = _Axis(0, 1, _HEIGHT - _BOTTOM, _TOP)
    total = sum(number for _, _, number in bins)
    drawn = _curve(
        [(x_axis.pixel(0), y_axis.pixel(0)), (x_axis.pixel(1), y_axis.pixel(1))], "ideal"
    )
    for confidence, accuracy, number in bins:
        if not number:
            continue
        x, y, radius = x_axis.pixel(confidence), y_axis.pixel(accuracy), 3 + 9 * number / total
        title = f"{number:,} examples: confidence {confidence:.1%}, accuracy {accuracy:.1%}"
        drawn += (
            f'<line class="gap" x1="{x:.1f}" y1="{y:.1f}" x2="{x:.1f}"'
            f' y2="{y_axis.pixel(confidence):.1f}"/>'
            f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}">'
            f"<title>{escape(title)}</title></circle>"
        )
    frame = _frame(x_axis, y_axis, "confidence (probability of the answer)", "accuracy")
    return _figure(caption, frame + drawn, [])


def heat_map(caption: str, names: Sequence[str], counts: Sequence[Sequence[int]]) -> Markup:
    """Returns a confusion matrix as a table whose cells are the darker the more they hold.

    Args:
      caption: What it shows.
      names: Names of the classes.
      counts: For each true class (row) how often each class was the answer.
    """
    head = "".join(f'<th scope="col"><span>{escape(name)}</span></th>' for name in names)
    body = ""
    for number, (name, row) in enumerate(zip(names, counts, strict=True)):
        total = sum(row) or 1
        cells = ""
        for column, count in enumerate(row):
            kind = "hit" if column == number else "miss"
            strength = f' style="--heat:{100 * count / total:.0f}%"' if count else ""
            title = f' title="{escape(f"{name} as {names[column]}: {count / total:.1%}")}"'
            cells += f'<td class="{kind}"{strength}{title}>{f"{count:,}" if count else ""}</td>'
        body += f'<tr><th scope="row">{escape(name)}</th>{cells}</tr>\n'
    return Markup(
        f'<div class="scroll"><table class="heat">\n<caption>{escape(caption)}</caption>\n'
        f"<thead><tr><td></td>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table></div>\n"
    )


def _runs(points: Sequence[Point]) -> list[list[Point]]:
    """Returns the points in runs of finite values."""
    runs: list[list[Point]] = [[]]
    for x, y in points:
        if math.isfinite(x) and math.isfinite(y):
            runs[-1].append((x, y))
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def _axis(low: float, high: float, start: float, end: float) -> _Axis:
    if low == high:  # A single value stands in the middle.
        margin = abs(low) / 2 or 0.5
        low, high = low - margin, high + margin
    return _Axis(low, high, start, end)


def _curve(pixels: Sequence[Point], kind: str) -> str:
    if len(pixels) == 1:
        ((x, y),) = pixels
        return f'<circle class="point {kind}" cx="{x:.1f}" cy="{y:.1f}" r="3"/>'
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in pixels)
    return f'<polyline class="{kind}" points="{points}"/>'


def _frame(x_axis: _Axis, y_axis: _Axis, x_title: str, y_title: str) -> str:
    """Returns axes with ticks and titles."""
    drawn = ""
    for value in y_axis.ticks():
        y = y_axis.pixel(value)
        drawn += (
            f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text class="end" x="{_LEFT - 8}" y="{y + 4:.1f}">{value:,.6g}</text>'
        )
    for value in x_axis.ticks():
        drawn += (
            f'<text class="middle" x="{x_axis.pixel(value):.1f}" y="{_HEIGHT - _BOTTOM + 18}">'
            f"{value:,.6g}</text>"
        )
    middle = (_TOP + _HEIGHT - _BOTTOM) / 2
    return drawn + (
        f'<text class="middle title" x="{(_LEFT + _WIDTH - _RIGHT) / 2}" y="{_HEIGHT - 6}">'
        f'{escape(x_title)}</text><text class="middle title" x="14" y="{middle}"'
        f' transform="rotate(-90 14 {middle})">{escape(y_title)}</text>'
    )


def _figure(caption: str, drawn: str, names: Sequence[str]) -> Markup:
    legend = "".join(
        f'<li class="line{number % _NUM_COLORS}">{escape(name)}</li>'
        for number, name in enumerate(names)
    )
    legend = f'<ul class="legend">{legend}</ul>' if len(names) > 1 else ""
    return Markup(
        f'<figure class="plot"><figcaption>{escape(caption)}</figcaption>{legend}'
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(caption)}">'
        f"{drawn}</svg></figure>\n"
    )
