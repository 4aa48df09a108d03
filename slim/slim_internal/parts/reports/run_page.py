"""The part of the page about a training run that evaluations change after it has been written."""

import os

from slim_internal.ground.files import atomic
from slim_internal.parts.reports import page
from slim_internal.parts.reports.page import Markup

FILENAME = "report.html"
EVALUATION = "evaluation.html"  # About an evaluation whose eval_dir is train_dir.
_BEGIN, _END = "<!-- evaluations -->", "<!-- end of evaluations -->"


def evaluations(train_dir: str) -> Markup:
    """Returns the part of the page that links to the evaluations in folders of the run."""
    beside = [EVALUATION] if os.path.isfile(os.path.join(train_dir, EVALUATION)) else []
    inside = sorted(
        os.path.join(entry.name, FILENAME)
        for entry in os.scandir(train_dir)
        if entry.is_dir()
        and all(os.path.isfile(os.path.join(entry, name)) for name in (FILENAME, "metrics.json"))
    )
    links = page.join(page.paragraph(page.link(path, path)) for path in beside + inside)
    section = page.section("Evaluations", links) if links else ""
    return Markup(f"{_BEGIN}{section}{_END}\n")


def refresh(train_dir: str) -> None:
    """Renews that part of the page of a run, if it has such a page; "" has none.

    Raises:
      OSError: If it cannot be written.
    """
    path = os.path.join(train_dir, FILENAME)
    if not train_dir:
        return
    try:
        with open(path, encoding="utf-8") as file:
            before, begin, rest = file.read().partition(_BEGIN)
    except (OSError, UnicodeDecodeError):
        return
    _, end, after = rest.partition(f"{_END}\n")
    if begin and end:
        atomic.write(path, f"{before}{evaluations(train_dir)}{after}")
