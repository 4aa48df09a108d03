"""Inspecting a dataset: reads it, writes report.json, index.html and contact_sheet.png."""

import collections
import dataclasses
import io
import itertools
import os
from typing import Any

from datasets import dataset_factory
from slim_internal.ground import errors
from slim_internal.ground.files import atomic
from slim_internal.ground.progress import reporting
from slim_internal.parts.reports import contact_sheet
from slim_internal.programs.inspection import (
    augmentation,
    dataset_files,
    dataset_page,
    remarks,
    samples,
    survey,
    wording,
)
from slim_internal.programs.inspection.settings import Inspection
from slim_internal.programs.inspection.survey import Survey

REPORT, PAGE, SHEET = "report.json", "index.html", "contact_sheet.png"

# A listing longer than this is of no use to anybody; the counts are complete.
_MAX_LISTED = 1000
# Groups of equal images that the page shows, and images whose augmentation it previews.
_MAX_REPEATED = 20
_MAX_PREVIEWED = 6


@dataclasses.dataclass(frozen=True)
class Inspected:
    """What an inspection found.

    Attributes:
      output_dir: Where the report is.
      survey: What the dataset holds.
    """

    output_dir: str
    survey: Survey

    @property
    def good(self) -> bool:
        """Whether nothing is damaged or inconsistent; images that repeat are not damage."""
        return not self.survey.problems

    def summary(self) -> list[str]:
        """Returns what was found in a few lines."""
        found = self.survey
        return [
            f"{found.dataset.name}: {wording.contents(found)}.",
            *remarks.find(found),
            wording.problems(found),
            *(f"  {problem}" for problem in found.problems[:5]),
            wording.duplicates(found),
            *([wording.near_duplicates(found)] if found.duplicates.near else []),
            f"See {os.path.join(self.output_dir, PAGE)} and {SHEET} beside it.",
        ]


def inspect(options: Inspection, progress: reporting.Progress = reporting.silent) -> Inspected:
    """Reads a dataset and writes a report about it.

    Raises:
      UserError: An option cannot be used, there is no dataset, or a report is there already.
    """
    found_files = _files(options)
    folder = options.dataset_dir or os.path.dirname(found_files.files[0].path)
    output_dir = options.output_dir or os.path.abspath(folder) + "_inspection"
    if options.model_name:
        augmentation.require_images(options.model_name)
    _prepare(output_dir, options.overwrite)
    found = survey.take(
        found_files,
        decode=options.verify_images == "decode",
        seed=options.seed,
        num_workers=options.num_workers or os.cpu_count(),
        progress=progress,
    )
    chosen = samples.choose(found, options.num_samples)
    _write(output_dir, found, chosen, _previewed(found, chosen, options))
    return Inspected(output_dir, found)


def _files(options: Inspection) -> dataset_files.DatasetFiles:
    if dataset_factory.of_any_origin(options):
        return dataset_files.find_of_any_origin(
            options, options.dataset_split_name, options.dataset_dir
        )
    found = dataset_files.find(options.dataset_dir)
    is_known = not found.remarks  # By its manifest.
    if is_known and options.dataset_name not in (None, found.name):
        raise errors.UserError(
            f"{options.dataset_dir} holds {found.name}, not {options.dataset_name}; leave out"
            " --dataset_name."
        )
    return found


def _prepare(output_dir: str, overwrite: bool) -> None:
    """Makes the folder, before any work is done that could be in vain."""
    there = [name for name in (REPORT, PAGE, SHEET) if os.path.exists(f"{output_dir}/{name}")]
    if there and not overwrite:
        raise errors.UserError(
            f"{output_dir} already holds {', '.join(there)}. Use --overwrite to replace them, or "
            "another --output_dir."
        )
    os.makedirs(output_dir, exist_ok=True)


def _previewed(
    found: Survey, chosen: list[list[samples.Sample]], options: Inspection
) -> dict[str, Any]:
    """Returns what the page needs to show what training sees, if a network is named."""
    by_label = {sample.label: sample for row in chosen for sample in row}
    if not options.model_name or not by_label:
        return {}
    shown = list(by_label.values())[:_MAX_PREVIEWED]
    stored = samples.read(found, [sample.place for sample in shown])
    rows = augmentation.preview(
        [stored[sample.place] for sample in shown],
        [sample.shown.name for sample in shown],
        options.model_name,
        options.seed,
        options.image_size,
    )
    return {"augmented": rows, "model_name": options.model_name}


def _write(
    output_dir: str,
    found: Survey,
    chosen: list[list[samples.Sample]],
    previewed: dict[str, Any],
) -> None:
    rows = [[sample.shown for sample in row] for row in chosen]
    sheet = io.BytesIO()
    drawn = contact_sheet.draw(found.dataset.name, wording.contents(found), rows)
    drawn.save(sheet, format="PNG", optimize=True)
    if any(len({sample.label for sample in row}) > 1 for row in chosen):
        rows = [list(itertools.chain(*rows))]  # No row means a class: let them fill any window.
    page = dataset_page.render(
        found,
        rows,
        repeated=samples.repeated(found, found.duplicates.groups[:_MAX_REPEATED]),
        near=samples.repeated(found, (found.duplicates.near or ())[:_MAX_REPEATED]),
        **previewed,
    )
    atomic.write_all(
        {
            os.path.join(output_dir, REPORT): atomic.json_text(as_json(found)),
            os.path.join(output_dir, SHEET): sheet.getvalue(),
            os.path.join(output_dir, PAGE): page.encode(errors="replace"),
        }
    )


def as_json(found: Survey) -> dict[str, Any]:
    """Returns what is known of a dataset as plain values."""
    doubles = found.duplicates
    return {
        "name": found.dataset.name,
        "remarks": remarks.find(found),
        "cropped_by": remarks.cropped(found),
        "class_names": {str(label): name for label, name in found.class_names.items()},
        "splits": {split: _tally_json(tally) for split, tally in found.splits.items()},
        "num_problems": len(found.problems),
        "problems": [
            {"file": problem.place.file, "record": problem.place.record, "fault": problem.fault}
            for problem in found.problems[:_MAX_LISTED]
        ],
        "duplicates": {
            "between_splits": doubles.between_splits,
            "within_splits": doubles.within_splits,
            "other_label": doubles.other_label,
            "groups": [
                [
                    dataclasses.asdict(place) | {"filename": doubles.filenames.get(place, "")}
                    for place in group
                ]
                for group in doubles.groups[:_MAX_LISTED]
            ],
        },
        "near_duplicates": None
        if doubles.near is None
        else {
            "between_splits": len(doubles.near),
            "pairs": [
                [
                    dataclasses.asdict(place) | {"filename": doubles.filenames.get(place, "")}
                    for place in pair
                ]
                for pair in doubles.near[:_MAX_LISTED]
            ],
        },
    }


def _tally_json(tally: survey.Tally) -> dict[str, Any]:
    return {
        "records": tally.records,
        "bytes": tally.bytes,
        "files": tally.files,
        "boxes": tally.boxes,
        "classes": {str(label): count for label, count in sorted(tally.labels.items())},
        "kinds": dict(sorted(tally.kinds.items())),
        "widths": _axis(tally.sizes, 0),
        "heights": _axis(tally.sizes, 1),
    }


def _axis(sizes: collections.Counter, axis: int) -> dict[str, float]:
    return dataclasses.asdict(wording.spread(sizes, axis)) if sizes else {}
