"""What is worth knowing about a dataset and no damage, in sentences."""

from collections.abc import Iterator

from slim_internal.parts.reports.phrases import count
from slim_internal.programs.inspection.survey import Survey

# Network -> side of its images in pixels, for those whose preprocessing cuts out the middle instead
# of scaling the image.
CROPPING = {"lenet": 28, "cifarnet": 32}
_MAX_NAMED = 5


def find(survey: Survey) -> list[str]:
    """Returns all remarks."""
    return [
        *survey.dataset.remarks,
        *_left_out(survey),
        *_missing_classes(survey),
        *_numbers_in_the_order_of_text(survey),
    ]


def cropped(survey: Survey) -> dict[str, int]:
    """Returns for each network of `CROPPING` how many images would lose their edges."""
    sizes = survey.total.sizes.items()
    return {
        network: sum(number for size, number in sizes if max(size) > side)
        for network, side in CROPPING.items()
    }


def cropping(survey: Survey) -> str:
    """Says how many images would lose their edges, or nothing."""
    return " ".join(
        f"{network} would crop {count(number, 'image')} to the middle "
        f"{CROPPING[network]} x {CROPPING[network]} pixels."
        for network, number in cropped(survey).items()
        if number
    )


def _left_out(survey: Survey) -> Iterator[str]:
    extensions = survey.dataset.left_out
    if extensions:
        counts = sorted(extensions.items(), key=lambda item: (-item[1], item[0]))
        kinds = ", ".join(f"{number:,} {kind or 'without extension'}" for kind, number in counts)
        total = sum(extensions.values())
        yield f"Skipped {count(total, 'file')} without an image extension: {kinds}."


def _missing_classes(survey: Survey) -> Iterator[str]:
    labels = survey.total.labels
    for split, tally in survey.splits.items():
        missing = sorted(set(labels) - set(tally.labels))
        if not missing or not tally.labels:
            continue  # A split without any label is not missing some.
        names = [survey.class_names.get(label, str(label)) for label in missing[:_MAX_NAMED]]
        names += ["..."] * (len(missing) > _MAX_NAMED)
        classes = count(len(missing), "class has", "classes have")
        yield f"{classes} no image in the split {split}: {', '.join(names)}."


def _numbers_in_the_order_of_text(survey: Survey) -> Iterator[str]:
    names = [name for _, name in sorted(survey.class_names.items())]
    if len(names) < 2 or not all(name.isascii() and name.isdigit() for name in names):
        return
    label = next((i for i in range(1, len(names)) if int(names[i]) < int(names[i - 1])), None)
    if label is not None:
        yield (
            f"The class names are numbers in the order of text: label {label} is the class "
            f"{names[label]!r}, after {names[label - 1]!r}."
        )
