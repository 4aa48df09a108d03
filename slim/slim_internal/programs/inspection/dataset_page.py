"""What the page about a dataset holds."""

from collections.abc import Iterator, Sequence

from slim_internal.ground.progress import human_bytes
from slim_internal.parts.reports import page, table, thumbnail
from slim_internal.parts.reports.page import Markup
from slim_internal.parts.reports.phrases import count
from slim_internal.parts.reports.thumbnail import Thumbnail
from slim_internal.programs.inspection import remarks, wording
from slim_internal.programs.inspection.survey import Place, Survey


def render(
    survey: Survey,
    rows: Sequence[Sequence[Thumbnail]],
    *,
    repeated: Sequence[Sequence[Thumbnail]] = (),
    near: Sequence[Sequence[Thumbnail]] = (),
    augmented: Sequence[Sequence[Thumbnail]] = (),
    model_name: str | None = None,
) -> str:
    """Returns the page.

    Args:
      survey: What the dataset holds.
      rows: Images to show; where there are few classes, each row is one of them.
      repeated: Images that occur more than once, a row for each.
      near: Images of different splits that are nearly the same, a row for each pair.
      augmented: Images as stored and as training sees them, a row for each.
      model_name: The network that is trained.
    """
    sections = [
        page.section("Splits", _splits(survey)),
        page.section("Images with their labels", thumbnail.gallery(rows)),
        page.section("Classes", *_classes(survey)),
        page.section(
            "Image sizes and formats", _sizes(survey), page.paragraph(remarks.cropping(survey))
        ),
        page.section("Problems", *_problems(survey)),
        page.section("Images that occur more than once", *_duplicates(survey, repeated)),
        page.section("Nearly the same in several splits", *_near_duplicates(survey, near)),
    ]
    if augmented:
        title = f"What {model_name} sees in training"
        sections.insert(2, page.section(title, thumbnail.gallery(augmented)))
    return page.render(
        survey.dataset.name,
        sections,
        lead=wording.contents(survey),
        verdicts=list(_verdicts(survey)),
        window_title=f"{survey.dataset.name}: what the dataset holds",
    )


def _verdicts(survey: Survey) -> Iterator[tuple[str, str, str]]:
    yield page.BAD if survey.problems else page.GOOD, "Records", wording.problems(survey)
    found = survey.duplicates
    state = page.BAD if found.between_splits else page.NOTE if found.groups else page.GOOD
    yield state, "Duplicates", wording.duplicates(survey)
    if found.near:
        yield page.BAD, "Near duplicates", wording.near_duplicates(survey)
    for remark in remarks.find(survey):
        yield page.NOTE, "Remark", remark


def _splits(survey: Survey) -> Markup:
    lines = [
        [split, f"{t.records:,}", f"{t.files:,}", human_bytes(t.bytes), f"{t.boxes:,}"]
        for split, t in survey.splits.items()
    ]
    return table.render(
        "What each split holds", ["Split", "Images", "Files", "Size", "Boxes"], lines
    )


def _classes(survey: Survey) -> tuple[Markup, Markup]:
    total = survey.total.labels
    labels = sorted(set(total) | set(survey.class_names))
    maximum = max(total.values(), default=1)
    lines = [
        [
            str(label),
            survey.class_names.get(label, ""),
            *(f"{tally.labels[label]:,}" for tally in survey.splits.values()),
            f"{total[label]:,}",
        ]
        for label in labels
    ]
    classes = table.render(
        "Images of each class",
        ["Label", "Class", *survey.splits, "All"],
        lines,
        fractions=[total[label] / maximum for label in labels],
        text_columns=2,
    )
    return (
        page.paragraph(wording.per_class(total, len(labels))),
        page.folded(classes, len(lines), "All classes"),
    )


def _sizes(survey: Survey) -> Markup:
    total = survey.total
    if not total.sizes:
        return page.paragraph("There is no image that could be read.")
    lines = []
    for axis, title in enumerate(("Width", "Height")):
        found = wording.spread(total.sizes, axis)
        lines.append([title, *(f"{n:,}" for n in (found.minimum, found.median, found.maximum))])
    bins = wording.histogram(total.sizes)
    highest = max(number for _, number in bins)
    return page.beside(
        table.render("In pixels", ["", "Minimum", "Median", "Maximum"], lines),
        table.render(
            "File format and color mode",
            ["Format", "Images"],
            [[kind, f"{number:,}"] for kind, number in total.kinds.most_common()],
        ),
        table.render(
            f"Longer side in pixels ({count(len(total.sizes), 'size')} in all)",
            ["Pixels", "Images"],
            [[pixels, f"{number:,}"] for pixels, number in bins],
            fractions=[number / highest for _, number in bins],
        ),
    )


def _problems(survey: Survey) -> tuple[Markup, Markup]:
    lines = [str(problem) for problem in survey.problems]
    return page.paragraph(wording.problems(survey)), page.listing(lines, "report.json has more")


def _near_duplicates(survey: Survey, rows: Sequence[Sequence[Thumbnail]]) -> Iterator[Markup]:
    yield page.paragraph(wording.near_duplicates(survey))
    if rows:
        yield thumbnail.gallery(rows)
    yield from _places(survey, survey.duplicates.near or (), " ~ ")


def _places(survey: Survey, groups: Sequence[Sequence[Place]], between: str) -> Iterator[Markup]:
    """Yields a list of places, with the names of the files they were made from."""
    names = survey.duplicates.filenames

    def named(place: Place) -> str:
        return f"{names[place]} ({place})" if place in names else str(place)

    lines = [between.join(map(named, group)) for group in groups]
    yield page.listing(lines, "report.json has more")


def _duplicates(survey: Survey, rows: Sequence[Sequence[Thumbnail]]) -> Iterator[Markup]:
    yield page.paragraph(wording.duplicates(survey))
    if rows:
        yield thumbnail.gallery(rows)
    yield from _places(survey, survey.duplicates.groups, " = ")
