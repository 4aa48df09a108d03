"""The page about a training run."""

import dataclasses
import json
import math
import types

import pytest

from slim_internal.ground.settings import Settings, setting
from slim_internal.programs.training import reporting, training_page
from tests.slim_internal.parts.reports import browser
from tests.slim_internal.parts.reports.parsed_page import ParsedPage


@dataclasses.dataclass(frozen=True, kw_only=True)
class Run(Settings):
    """Settings of a run."""

    learning_rate: float = setting(0.01, "Rate.")
    note: str | None = setting(None, "Anything.")


def lines(count: int) -> list[dict[str, float]]:
    return [
        {"step": step, "loss": 2 / step, "learning_rate": 0.1, "images_per_second": 100.0}
        | ({"validation/loss": 3 / step, "validation/accuracy": 0.5} if step % 10 == 0 else {})
        for step in range(1, count + 1)
    ]


def test_curves_of_the_same_quantity_share_a_plot():
    page = ParsedPage(training_page.render("<b>", lines(40), Run()))
    assert len(page.all("svg")) == 4
    assert [curve["class"] for curve in page.all("polyline")][:3] == ["line0", "line0", "line1"]
    assert len(page.all("li")) == 2  # The legend of the loss.
    assert "After step 40" in page.text
    assert "<b>" in page.text


def test_long_runs_are_thinned_and_keep_their_last_point():
    text = training_page.render("", lines(10_000), Run())
    curves = [curve["points"].split() for curve in ParsedPage(text).all("polyline")]
    assert all(len(curve) <= 500 for curve in curves)
    right = {float(curve[-1].split(",")[0]) for curve in curves}
    assert len(right) == 1


def test_settings_that_differ_from_their_defaults_come_first():
    page = ParsedPage(training_page.render("", [], Run(note="<i>")))
    assert "Nothing was reported yet." in page.text
    changed, every = page.text.split("Other than the defaults")[1].split("All", 1)
    assert "--note" in changed
    assert "<i>" in changed
    assert "--learning_rate" not in changed
    assert "--learning_rate" in every


@pytest.mark.parametrize(
    "tail",
    [
        *(
            "",
            '{"step": 3, "lo',
            "[]",
            "3",
            "[" * 100_000,
            '{"loss": 1}',
            '{"step": "3"}',
            "\udcff",
        ),
        *('{"step": null, "loss": 2}', '{"step": 2, "loss": "low"}', '{"step": 2, "loss": [1]}'),
    ],
    ids=range(11),
)
def test_page_is_written_when_the_run_has_ended(tmp_path, tail):
    written = [json.dumps(line) + "\n" for line in lines(2)]
    (tmp_path / reporting.METRICS_FILENAME).write_text(
        "".join(written) + tail, errors="surrogateescape"
    )
    training_page.Page(str(tmp_path), Run(), "title").close()
    page = (tmp_path / training_page.FILENAME).read_text(encoding="utf-8")
    assert "After step 2" in page


def test_page_links_to_evaluations(tmp_path):
    (tmp_path / "eval").mkdir()
    for name in ("eval/report.html", "eval/metrics.json", "evaluation.html"):
        (tmp_path / name).write_text("{}")
    training_page.Page(str(tmp_path), Run(), "title").close()
    page = (tmp_path / training_page.FILENAME).read_text(encoding="utf-8")
    assert 'href="eval/report.html"' in page
    assert 'href="evaluation.html"' in page


def test_page_is_written_at_once_after_an_evaluation(tmp_path):
    evaluated = -1
    written = training_page.Page(str(tmp_path), Run(), "title", evaluated=lambda: evaluated)
    step = types.SimpleNamespace(number=1)
    path = tmp_path / training_page.FILENAME
    written.after_step(step)
    assert not path.exists()
    evaluated = 1
    written.after_step(step)
    path.unlink()
    written.after_step(step)
    assert not path.exists()


def test_a_run_does_not_fail_for_its_page(tmp_path, caplog):
    (tmp_path / training_page.FILENAME).mkdir()
    training_page.Page(str(tmp_path), Run(), "title").close()
    assert "report.html was not written" in caplog.text


def test_page_fills_a_browser(tmp_path):
    page = tmp_path / training_page.FILENAME
    reported = [*lines(100), {"step": 101, "loss": math.nan}]
    page.write_text(training_page.render("t", reported, Run()), encoding="utf-8")
    assert 0.3 < browser.filled(browser.screenshot(page)) < 1
