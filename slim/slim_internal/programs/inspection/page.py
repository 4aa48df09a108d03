"""The report as one HTML page that needs nothing beside it."""

import base64
import html
import io
import itertools
import os
from collections.abc import Iterable, Sequence

from slim_internal.ground.progress import human_bytes
from slim_internal.programs.inspection import wording
from slim_internal.programs.inspection.samples import TILE, Sample
from slim_internal.programs.inspection.survey import Survey

_STYLE = os.path.join(os.path.dirname(__file__), "page.css")
# Longer tables and lists are folded up, or cut after so many lines.
_LONG = 30
_MOST_LISTED = 200


def render(survey: Survey, rows: Sequence[Sequence[Sample]]) -> str:
    """Returns the page."""
    with open(_STYLE, encoding="utf-8") as file:
        style = file.read()
    name = html.escape(survey.data.name)
    sections = (
        _section("Splits", _splits(survey)),
        _section("Pictures with their labels", _samples(rows)),
        _section("Classes", _classes(survey)),
        _section("Picture sizes and formats", _sizes(survey)),
        _section("Problems", _problems(survey)),
        _section("Pictures that occur more than once", _duplicates(survey)),
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{name}: what the data set holds</title>
<style>
{style}</style>
</head>
<body>
<header>
<h1>{name}</h1>
<p class="lead">{html.escape(wording.contents(survey))}</p>
{_verdicts(survey)}
</header>
<main>
{"".join(sections)}</main>
</body>
</html>
"""


def _section(title: str, body: str) -> str:
    return f"<section>\n<h2>{title}</h2>\n{body}\n</section>\n"


def _verdicts(survey: Survey) -> str:
    doubles = survey.duplicates
    verdicts = [("bad" if survey.problems else "good", "Records", wording.problems(survey))]
    state = "bad" if doubles.between_splits else "note" if doubles.groups else "good"
    verdicts.append((state, "Duplicates", wording.duplicates(survey)))
    verdicts += [("note", "Remark", remark) for remark in survey.data.remarks]
    items = "".join(
        f'<li class="{state}"><strong>{title}:</strong> {html.escape(text)}</li>\n'
        for state, title, text in verdicts
    )
    return f'<ul class="verdicts">\n{items}</ul>'


def _samples(rows: Sequence[Sequence[Sample]]) -> str:
    if not rows:
        return "<p>There is no picture that could be shown.</p>"
    if any(len({sample.label for sample in row}) > 1 for row in rows):
        rows = [list(itertools.chain(*rows))]  # No row means a class: let them fill any window.
    return "\n".join(
        f'<ul class="row">\n{"".join(_figure(sample) for sample in row)}</ul>' for row in rows
    )


def _figure(sample: Sample) -> str:
    small = max(sample.size) <= TILE
    buffer = io.BytesIO()
    sample.tile.save(buffer, format="PNG" if small else "JPEG", quality=85)
    data = base64.b64encode(buffer.getvalue()).decode()
    name = html.escape(sample.class_name)
    detail = html.escape(wording.sample(sample))
    width, height = sample.tile.size
    kind = "png" if small else "jpeg"
    return (
        f'<li><figure title="{html.escape(str(sample.place))}"><div>'
        f'<img src="data:image/{kind};base64,{data}" alt="{name}, {detail}" width="{width}" '
        f'height="{height}" loading="lazy"></div>'
        f"<figcaption>{name}<span>{detail}</span></figcaption></figure></li>\n"
    )


def _splits(survey: Survey) -> str:
    lines = [
        [split, f"{t.records:,}", f"{t.files:,}", human_bytes(t.bytes), f"{t.boxes:,}"]
        for split, t in survey.splits.items()
    ]
    return _table("What each split holds", ["Split", "Pictures", "Files", "Size", "Boxes"], lines)


def _classes(survey: Survey) -> str:
    total = survey.total.labels
    labels = sorted(set(total) | set(survey.class_names))
    most = max(total.values(), default=1)
    counts = [total[label] for label in labels]
    lines = [
        [
            str(label),
            survey.class_names.get(label, ""),
            *(f"{tally.labels[label]:,}" for tally in survey.splits.values()),
            f"{total[label]:,}",
        ]
        for label in labels
    ]
    heads = ["Label", "Class", *survey.splits, "All"]
    table = _table(
        "Pictures of each class",
        heads,
        lines,
        shares=[count / most for count in counts],
        text_columns=2,
    )
    words = wording.per_class(total, len(labels))
    return f"<p>{words}</p>\n{_folded(table, len(lines), 'All classes')}"


def _sizes(survey: Survey) -> str:
    total = survey.total
    if not total.sizes:
        return "<p>There is no picture that could be read.</p>"
    lines = []
    for axis, title in enumerate(("Width", "Height")):
        found = wording.spread(total.sizes, axis)
        lines.append([title, *(f"{n:,}" for n in (found.least, found.median, found.most))])
    spreads = _table("In pixels", ["", "Smallest", "Median", "Largest"], lines)
    bins = wording.histogram(total.sizes)
    most = max(count for _, count in bins)
    sizes = _table(
        f"Longer side in pixels ({wording.count(len(total.sizes), 'size')} in all)",
        ["Pixels", "Pictures"],
        [[pixels, f"{count:,}"] for pixels, count in bins],
        shares=[count / most for _, count in bins],
    )
    kinds = _table(
        "File format and colors",
        ["Format", "Pictures"],
        [[kind, f"{count:,}"] for kind, count in total.kinds.most_common()],
    )
    return f'<div class="tables">\n{spreads}{kinds}{sizes}</div>'


def _problems(survey: Survey) -> str:
    lines = [html.escape(str(problem)) for problem in survey.problems]
    return f"<p>{html.escape(wording.problems(survey))}</p>\n{_listing(lines)}"


def _duplicates(survey: Survey) -> str:
    lines = [
        " = ".join(html.escape(str(place)) for place in group) for group in survey.duplicates.groups
    ]
    return f"<p>{html.escape(wording.duplicates(survey))}</p>\n{_listing(lines)}"


def _listing(lines: Sequence[str]) -> str:
    if not lines:
        return ""
    items = "".join(f"<li>{line}</li>\n" for line in lines[:_MOST_LISTED])
    cut = len(lines) - _MOST_LISTED
    rest = f"<p>{cut:,} more are not shown; report.json has more.</p>" if cut > 0 else ""
    body = f'<ol class="places">\n{items}</ol>\n{rest}'
    return _folded(body, len(lines), "All of them")


def _folded(body: str, length: int, title: str) -> str:
    if length <= _LONG:
        return body
    return f"<details>\n<summary>{title} ({length:,})</summary>\n{body}\n</details>"


def _table(
    caption: str,
    heads: Sequence[str],
    lines: Iterable[Sequence[str]],
    *,
    shares: Sequence[float] | None = None,
    text_columns: int = 1,
) -> str:
    """Returns a table.

    Args:
      caption: What it shows.
      heads: Titles of the columns.
      lines: The cells; the last of the `text_columns` first ones names the line.
      shares: For each line the length of a bar after its cells, 0..1.
      text_columns: How many columns hold text; the others hold numbers.
    """
    numeric = ['class="number"' if i >= text_columns else "" for i in range(len(heads))]
    head = "".join(
        f'<th scope="col" {kind}>{html.escape(title)}</th>'
        for title, kind in zip(heads, numeric, strict=True)
    )
    if shares is not None:
        head += '<td class="share"></td>'
    body = ""
    for number, line in enumerate(lines):
        cells = ""
        for column, (cell, kind) in enumerate(zip(line, numeric, strict=True)):
            tag = 'th scope="row"' if column == text_columns - 1 else f"td {kind}"
            cells += f"<{tag}>{html.escape(cell)}</{tag.split()[0]}>"
        if shares is not None:
            cells += (
                f'<td class="share"><span style="width:{100 * shares[number]:.1f}%"></span></td>'
            )
        body += f"<tr>{cells}</tr>\n"
    return (
        f'<div class="scroll"><table>\n<caption>{html.escape(caption)}</caption>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table></div>\n"
    )
