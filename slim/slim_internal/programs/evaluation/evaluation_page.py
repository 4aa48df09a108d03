"""What the page about an evaluation holds."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from slim_internal.parts.metrics.metric import Table, Value
from slim_internal.parts.reports import page, plot, table, thumbnail
from slim_internal.parts.reports.page import Markup
from slim_internal.parts.reports.phrases import count
from slim_internal.parts.reports.thumbnail import Thumbnail
from slim_internal.programs.evaluation.other_splits import Overlap

# With more classes than this a matrix cannot be read; the most confused pairs can.
_MAX_MATRIX = 25
_MAX_PAIRS = 30
_MAX_WORST = 15
_MAX_SOURCES = 200
# Distance between confidence and accuracy from which on it is a finding.
_BAD_CALIBRATION = 0.1
# A p-value below this is hardly chance.
_SIGNIFICANT = 0.05
_RECALL = re.compile(r"recall_at_\d+")

# Name of a fraction among the results -> what the page calls it.
_FRACTIONS = {
    "accuracy": "Accuracy",
    "recall_at_5": "Recall at 5",
    "mean_class_accuracy": "Mean per-class accuracy",
}


def render(
    title: str,
    values: Sequence[Value],
    mistakes: Sequence[Thumbnail] = (),
    hits: Sequence[Thumbnail] = (),
    *,
    label_errors: Sequence[Thumbnail] = (),
    became: Mapping[str, Sequence[Thumbnail]] | None = None,
    history: Sequence[tuple[int, float, float]] = (),
    overlap: Overlap | None = None,
    training: str = "",
    warnings: Sequence[str] = (),
) -> str:
    """Returns the page.

    Args:
      title: What was evaluated on what.
      values: The results.
      mistakes: Wrong answers that the network was most certain of.
      hits: Right answers that it was least certain of.
      label_errors: Images whose label is likely to be wrong.
      became: "wrong" and "right" -> images whose answer changed since the evaluation that this one
        is compared with.
      history: (step, accuracy, loss) of each checkpoint that was evaluated, this one last.
      overlap: What is nearly the same in other splits; None if that was not looked for.
      training: Address of the page about the run that the checkpoint is of, if there is one.
      warnings: What makes the numbers doubtful.
    """
    found = {value.name: value.value for value in values}
    per_class = found.get("per_class", [])
    sections = [page.section("Headline numbers", _headline(found))]
    if len(history) > 1:
        sections.append(page.section("Over the checkpoints", *_curves(history)))
    if "compared_with" in found:
        sections.append(page.section("What changed", *_changes(found, became or {})))
    if "confusion" in found:
        sections.append(page.section("What is taken for what", *_confusion(found["confusion"])))
    if per_class:
        sections.append(page.section("Classes", *_classes(per_class)))
    if "calibration" in found:
        sections.append(page.section("How sure it is", *_calibration(found)))
    groups = list(_groups(found))
    if groups:
        sections.append(page.section("By image size and source", page.beside(*groups)))
    sections += [
        page.section(
            "Most certain mistakes",
            page.paragraph(
                "Wrong answers with the highest probability. If an answer looks right, the label "
                "may be wrong."
            ),
            _gallery(mistakes, "There is no mistake to show."),
        ),
        page.section(
            "Least certain hits",
            page.paragraph("Right answers with the lowest probability."),
            _gallery(hits, "There is no right answer to show."),
        ),
    ]
    if "num_label_errors" in found:
        sections.append(page.section("Likely label errors", *_label_errors(found, label_errors)))
    if overlap is not None:
        sections.append(page.section("Nearly the same in other splits", *_overlap(overlap)))
    lead = f"{count(found['num_examples'], 'image')}, {found['checkpoint_path']}"
    if training:
        sections.append(page.section("Training", page.paragraph(page.link(training, training))))
    doubts = [(page.BAD, "Warning", text) for text in warnings]
    verdicts = [*doubts, *_verdicts(found, per_class)]
    return page.render(title, sections, lead=lead, verdicts=verdicts)


def _verdicts(
    found: Mapping[str, Any], per_class: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[str, str, str]]:
    accuracy, total = found["accuracy"], found["num_examples"]
    seen = [row for row in per_class if row["examples"]]
    largest = max(seen, key=lambda row: row["examples"], default=None)
    share = largest["examples"] / total if largest else 0.0
    text = f"{accuracy:.1%} of the most likely classes are right{_interval(found, 'accuracy')}"
    if largest and len(seen) > 1:
        text += f"; always answering {largest['name']} would reach {share:.1%}"
    yield page.BAD if accuracy <= share < 1 else page.GOOD, "Accuracy", f"{text}."
    unseen = len(per_class) - len(seen)
    if unseen:
        text = f"{count(unseen, 'class has', 'classes have')} no image in this split."
        yield page.NOTE, "Classes", text
    never = [row for row in seen if not row["predictions"]]
    if never:
        text = f"{count(len(never), 'class is', 'classes are')} never the answer."
        yield page.BAD, "Classes", text
    if "compared_with" in found:
        yield _change(found)
    error = found.get("expected_calibration_error", 0.0)
    if error > _BAD_CALIBRATION:
        text = f"Probabilities differ from the accuracy by {error:.1%} on average."
        yield page.NOTE, "Calibration", text


def _interval(found: Mapping[str, Any], name: str) -> str:
    if f"{name}_interval" not in found:
        return ""
    low, high = found[f"{name}_interval"]
    return f" (95 % interval: {low:.1%} to {high:.1%})"


def _headline(found: Mapping[str, Any]) -> Markup:
    num_classes = len(found.get("per_class", ()))
    lines = [
        [title, f"{found[name]:.2%}", _bounds(found.get(f"{name}_interval"))]
        for name, title in _fractions(found).items()
        if name in found and not (name == "recall_at_5" and 0 < num_classes <= 5)
    ]
    lines.append(["Loss (cross entropy, nats)", f"{found['loss']:.4f}", ""])
    if "expected_calibration_error" in found:
        error = found["expected_calibration_error"]
        lines.append(["Expected calibration error", f"{error:.2%}", ""])
    return table.render("Over all images of the split", ["", "Value", "95 % interval"], lines)


def _fractions(found: Mapping[str, Any]) -> dict[str, str]:
    """Returns name -> title of each fraction, recall at another k included."""
    further = {
        name: name.replace("_", " ").capitalize()
        for name in found
        if _RECALL.fullmatch(name) and name not in _FRACTIONS
    }
    return _FRACTIONS | further


def _curves(history: Sequence[tuple[int, float, float]]) -> Iterator[Markup]:
    best = max(history, key=lambda each: each[1])
    yield page.paragraph(
        f"The accuracy was highest after step {best[0]:,}: {best[1]:.2%}. All other sections are"
        f" about step {history[-1][0]:,}."
    )
    accuracy = [(float(step), accuracy) for step, accuracy, _ in history]
    loss = [(float(step), loss) for step, _, loss in history]
    yield page.beside(
        plot.lines("Accuracy", {"accuracy": accuracy}, x_title="step", y_title="accuracy"),
        plot.lines("Loss", {"loss": loss}, x_title="step", y_title="loss (nats)"),
    )


def _change(found: Mapping[str, Any]) -> tuple[str, str, str]:
    """Returns the verdict on a comparison."""
    right, wrong = found["became_right"], found["became_wrong"]
    p_value = found["mcnemar_p_value"]
    if not right + wrong:
        return page.NOTE, "Compared", "The same images are right."
    text = (
        f"{count(right, 'image')} became right, {wrong:,} wrong: the accuracy went from"
        f" {found['accuracy_before']:.1%} to {found['accuracy']:.1%}."
    )
    if p_value >= _SIGNIFICANT:
        chance = f" That may be chance (McNemar's test: p = {p_value:.2g})."
        return page.NOTE, "Compared", text + chance
    state = page.GOOD if right > wrong else page.BAD
    return state, "Compared", f"{text} That is hardly chance (McNemar's test: p = {p_value:.2g})."


def _changes(
    found: Mapping[str, Any], became: Mapping[str, Sequence[Thumbnail]]
) -> Iterator[Markup]:
    yield page.paragraph(
        f"Compared with {found['compared_with']}; changes.csv lists every image that changed. The"
        f" p-value, {found['mcnemar_p_value']:.3g}, says how often so uneven a change comes about"
        f" if both are equally good ({found['mcnemar_method']} McNemar's test)."
    )
    for kind in ("wrong", "right"):
        number, shown = found[f"became_{kind}"], became.get(kind, ())
        some = f", the {len(shown)} most certain answers" if number > len(shown) else ""
        yield Markup(f"<h3>Became {kind}: {number:,}{some}</h3>\n")
        yield _gallery(shown, f"No image became {kind}.")


def _overlap(overlap: Overlap) -> Iterator[Markup]:
    if overlap.count is None:
        yield page.paragraph("Not looked for: there are too many images to compare.")
    elif not overlap.count:
        yield page.paragraph("No image is nearly the same as one of another split.")
    else:
        yield page.paragraph(
            f"{count(overlap.count, 'pair')} of images. Where the other one was trained on, the"
            " answer tells little."
        )
        yield thumbnail.gallery(overlap.shown)


def _label_errors(found: Mapping[str, Any], shown: Sequence[Thumbnail]) -> Iterator[Markup]:
    number = found["num_label_errors"]
    if number is None:
        yield page.paragraph(
            "Not looked for: the network is right less than half of the time, or no more often than"
            " always answering the largest class, so it cannot tell."
        )
        return
    yield page.paragraph(
        f"{count(number, 'label')} may be wrong: the network gives another class at least the"
        " probability that images of that class usually get (confident learning, arXiv 1911.00068)."
        " Look at them before you change anything: this is only as good as the network. All of them"
        " are in label_errors.csv."
        if number
        else "No label is likely to be wrong (confident learning, arXiv 1911.00068)."
    )
    if number:
        yield _gallery(shown, "None of them can be shown.")


def _bounds(interval: Sequence[float] | None) -> str:
    return f"{interval[0]:.1%} to {interval[1]:.1%}" if interval else ""


def _confusion(matrix: Table) -> Iterator[Markup]:
    names = list(matrix.columns[1:])
    counts = [list(row[1:]) for row in matrix.rows]
    if len(names) <= _MAX_MATRIX:
        yield plot.heat_map("Rows: labels. Columns: answers.", names, counts)
    pairs = sorted(
        (
            (-number, row, column)
            for row, numbers in enumerate(counts)
            for column, number in enumerate(numbers)
            if number and row != column
        ),
    )
    if not pairs:
        yield page.paragraph("Nothing is confused with anything else.")
        return
    lines = [
        [names[row], names[column], f"{-number:,}", f"{-number / sum(counts[row]):.1%}"]
        for number, row, column in pairs[:_MAX_PAIRS]
    ]
    shown = f" (the first {_MAX_PAIRS} of {len(pairs):,})" if len(pairs) > _MAX_PAIRS else ""
    yield table.render(
        f"Most confused pairs{shown}",
        ["Label", "Taken for", "Images", "Of the label's images"],
        lines,
        fractions=[number / pairs[0][0] for number, _, _ in pairs[:_MAX_PAIRS]],
        text_columns=2,
    )


def _classes(per_class: Sequence[Mapping[str, Any]]) -> Iterator[Markup]:
    seen = [row for row in per_class if row["examples"]]
    if len(seen) > 2 * _MAX_WORST:
        worst = sorted(seen, key=lambda row: (row["f1"] or 0.0, row["class"]))[:_MAX_WORST]
        yield _class_table(f"The {_MAX_WORST} classes with the lowest F1", worst)
    yield page.folded(_class_table("All classes", per_class), len(per_class), "All classes")


def _class_table(caption: str, rows: Sequence[Mapping[str, Any]]) -> Markup:
    def percent(value: float | None) -> str:
        return "–" if value is None else f"{value:.1%}"

    return table.render(
        caption,
        ["Class", "Name", "Images", "Answers", "Precision", "Recall", "95 % interval", "F1"],
        [
            [
                str(row["class"]),
                row["name"],
                f"{row['examples']:,}",
                f"{row['predictions']:,}",
                percent(row["precision"]),
                percent(row["recall"]),
                _bounds(row["recall_interval"]),
                percent(row["f1"]),
            ]
            for row in rows
        ],
        fractions=[row["f1"] or 0.0 for row in rows],
        text_columns=2,
    )


def _calibration(found: Mapping[str, Any]) -> Iterator[Markup]:
    yield page.paragraph(
        "On the diagonal, a probability of 80 % is right 8 times in 10. Below it the network is "
        "too sure of itself, above it not sure enough. Large dots stand for many images."
    )
    bins = [(bin["confidence"], bin["accuracy"], bin["examples"]) for bin in found["calibration"]]
    yield plot.calibration("Accuracy by the probability of the answer", bins)


def _groups(found: Mapping[str, Any]) -> Iterator[Markup]:
    sizes = [
        [f"{row['from_pixels']} to {row['below_pixels'] - 1} pixels", row]
        for row in found.get("accuracy_by_image_size", ())
    ]
    by_source = sorted(found.get("accuracy_by_source", ()), key=lambda row: -row["examples"])
    sources = [[row["source"] or "unknown", row] for row in by_source[:_MAX_SOURCES]]
    cut = len(by_source) - len(sources)
    of_source = f"Source ({cut:,} smaller ones are in metrics.json)" if cut else "Source"
    for title, rows in (("Image size (root of the area)", sizes), (of_source, sources)):
        if rows:
            lines = [
                [
                    name,
                    f"{row['examples']:,}",
                    f"{row['accuracy']:.1%}",
                    _bounds(row["accuracy_interval"]),
                ]
                for name, row in rows
            ]
            heads = [title, "Images", "Accuracy", "95 % interval"]
            yield page.folded(table.render("Accuracy", heads, lines), len(lines), title)


def _gallery(shown: Sequence[Thumbnail], otherwise: str) -> Markup:
    return thumbnail.gallery([shown]) if shown else page.paragraph(otherwise)
