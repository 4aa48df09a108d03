"""The page about a training run: curves, final numbers, settings."""

import contextlib
import dataclasses
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from slim_internal.ground.errors import UserError
from slim_internal.ground.files import atomic, json_objects
from slim_internal.ground.settings import Settings
from slim_internal.parts.reports import page, plot, run_page, table, thumbnail
from slim_internal.parts.reports.page import Markup
from slim_internal.parts.reports.thumbnail import Thumbnail
from slim_internal.programs.training import hooks, reporting

_LOG = logging.getLogger(__name__)

FILENAME = run_page.FILENAME
# A curve of more points looks the same and makes the page large.
_MAX_POINTS = 500
_PERIOD_SECS = 60.0

# Name in metrics.jsonl -> title and unit of its axis; others get their own names.
_TITLES = {
    "accuracy": "accuracy",
    "images_per_second": "images/s",
    "input_wait": "input wait (fraction of the time)",
    "learning_rate": "learning rate",
    "loss": "loss",
    "recall_at_5": "recall at 5",
}
# These are fractions: their axis shows all that is possible.
_FRACTIONS = ("accuracy", "input_wait", "recall_at_5")


class Page(hooks.Hook):
    """Writes the page now and then, and when the run has ended, however it did.

    Args:
      train_dir: Folder of the run.
      settings: What the run was started with.
      title: What is trained on what.
      worst: Returns the worst images of the last evaluation.
      evaluated: Returns the step of the last evaluation during training, after which the page is
        written at once.
    """

    def __init__(
        self,
        train_dir: str,
        settings: Settings,
        title: str,
        worst: Callable[[], Sequence[Thumbnail]] = lambda: (),
        evaluated: Callable[[], int] = lambda: -1,
    ):
        self._folder = train_dir
        self._worst = worst
        self._settings = settings
        self._title = title
        self._evaluated = evaluated
        self._shown = evaluated()
        self._timer = hooks.Timer(every_secs=_PERIOD_SECS)

    def after_step(self, step):
        """Writes the page if it is time, or there is an evaluation that it does not show yet."""
        if self._timer.due(step.number) or self._evaluated() != self._shown:
            self.close()
            self._shown = self._evaluated()
            self._timer.restart()

    def close(self):
        """Writes the page; a run does not fail for it."""
        try:
            text = render(
                self._title,
                read(self._folder),
                self._settings,
                worst=self._worst(),
                evaluations=run_page.evaluations(self._folder),
            )
            atomic.write(os.path.join(self._folder, FILENAME), text)
        except (OSError, UserError) as error:
            _LOG.warning("%s was not written: %s", FILENAME, error)


def read(train_dir: str) -> list[dict[str, Any]]:
    """Returns the numbers of the run's `metrics.jsonl`, without lines that are damaged."""
    lines = []
    try:
        with open(os.path.join(train_dir, reporting.METRICS_FILENAME), "rb") as file:
            for line in file:
                with contextlib.suppress(json_objects.DamageError):  # Killed while it was written.
                    lines.append(json_objects.decode(line))
    except FileNotFoundError:
        return []
    numbers = [{k: v for k, v in line.items() if json_objects.is_number(v)} for line in lines]
    return [line for line in numbers if type(line.get("step")) is int]


def render(
    title: str,
    lines: Sequence[Mapping[str, Any]],
    settings: Settings,
    *,
    worst: Sequence[Thumbnail] = (),
    evaluations: Markup = page.NOTHING,
) -> str:
    """Returns the page.

    Args:
      title: What is trained on what.
      lines: What was reported, step by step: "step" and numbers by name; a prefix such as
        "validation/" says where a number comes from.
      settings: What the run was started with.
      worst: The worst images of the last evaluation.
      evaluations: What `run_page.evaluations` returned.
    """
    step = lines[-1]["step"] if lines else 0
    sections = [
        page.section("Last numbers", _last(lines)),
        page.section("Curves", page.beside(*_curves(lines))),
        *_worst_images(worst),
        evaluations,
        page.section("Settings", *_settings(settings)),
    ]
    return page.render(title, sections, lead=f"After step {step:,}")


def _worst_images(worst: Sequence[Thumbnail]) -> Iterator[Markup]:
    if worst:
        yield page.section(
            "Worst images",
            page.paragraph(
                "Wrong answers in the last evaluation during training, the surest ones first. If an"
                " answer looks right, the label may be wrong."
            ),
            thumbnail.gallery([worst]),
        )


def _last(lines: Sequence[Mapping[str, Any]]) -> Markup:
    if not lines:
        return page.paragraph("Nothing was reported yet.")
    last = {name: (line["step"], line[name]) for line in lines for name in line if name != "step"}
    rows = [[name, f"{value:,.6g}", f"{step:,}"] for name, (step, value) in sorted(last.items())]
    return table.render("As last reported", ["", "Value", "Step"], rows)


def _curves(lines: Sequence[Mapping[str, Any]]) -> list[Markup]:
    names = sorted({name for line in lines for name in line} - {"epoch", "step"})
    plots: dict[str, dict[str, list[plot.Point]]] = {}
    for name in names:
        origin, _, quantity = name.rpartition("/")
        points = [(line["step"], line[name]) for line in lines if name in line]
        plots.setdefault(quantity, {})[origin or "training"] = _thinned(points)
    ordered = sorted(plots, key=lambda quantity: (quantity not in ("loss", "accuracy"), quantity))
    return [
        plot.lines(
            _TITLES.get(quantity, quantity).capitalize(),
            plots[quantity],
            x_title="step",
            y_title=_TITLES.get(quantity, quantity),
            y_range=(0, 1) if quantity in _FRACTIONS else None,
        )
        for quantity in ordered
    ] or [page.paragraph("Nothing was reported yet.")]


def _thinned(points: list[plot.Point]) -> list[plot.Point]:
    """Returns every n-th point, the last one always among them."""
    stride = -(-len(points) // _MAX_POINTS) or 1
    return points[::-1][::stride][::-1]


def _settings(settings: Settings) -> list[Markup]:
    rows, changed = [], []
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        row = [f"--{field.name}", _shown(value), _shown(field.default)]
        rows.append(row)
        if value != field.default:
            changed.append(row)
    heads = ["Flag", "Value", "Default"]
    return [
        table.render("Other than the defaults", heads, changed),
        page.folded(table.render("All", heads, rows), len(rows), "All settings"),
    ]


def _shown(value: Any) -> str:
    return "–" if value is None else str(value)
