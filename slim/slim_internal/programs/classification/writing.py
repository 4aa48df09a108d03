"""Writes what a classification is asked for: answers, a page of them, or features."""

import contextlib
import csv
import io
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image

from slim_internal.ground.errors import UserError
from slim_internal.ground.files import atomic
from slim_internal.ground.images import prepare, reading
from slim_internal.ground.images.image import BadImageError
from slim_internal.parts.reports import thumbnail
from slim_internal.programs.classification import answers_page, report
from slim_internal.programs.classification.classifier import Classifier, Guess
from slim_internal.programs.classification.settings import Classification

Images = Mapping[str, bytes | None]  # Paths -> contents, None where they are still to be read.


def require_consistent(config: Classification) -> None:
    """Requires that the settings can be carried out together; makes the folders of the files.

    Raises:
      UserError: If they contradict each other.
    """
    if config.grad_cam and not config.page:
        raise UserError("--grad_cam is shown on a page: say where with --page=answers.html.")
    if config.end_point:
        if not (config.output_file or "").endswith(".npy"):
            raise UserError(
                f"--end_point={config.end_point} writes an array: say where with"
                f" --output_file=NAME.npy; got {config.output_file!r}."
            )
        if config.page:
            raise UserError("--end_point and --page exclude each other; leave out one of them.")
    for path in (config.output_file, config.page):
        if path:  # A folder that cannot be made is told before the work, not after.
            pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)


def write_features(
    config: Classification, classifier: Classifier, images: Images, errors: list[UserError]
) -> None:
    """Writes the features of all images, and the file that each row is of."""
    paths, features = classifier.features(images, config.end_point, errors.append)
    array = io.BytesIO()
    np.save(array, features)
    table = io.StringIO()
    csv.writer(table, lineterminator="\n").writerows([["row", "file"], *enumerate(paths)])
    target = pathlib.Path(config.output_file)
    atomic.write_all({target.with_suffix(".csv"): table.getvalue(), target: array.getvalue()})


def write_answers(
    config: Classification, classifier: Classifier, images: Images, errors: list[UserError]
) -> str:
    """Writes the answers, and the page if there is to be one; returns what is to be printed."""
    answers = list(
        classifier.classify(
            images, top_k=config.top_k, batch_size=config.batch_size, on_error=errors.append
        )
    )
    if config.page:
        text = _page(config, classifier, images, answers)
        atomic.write_output(config.page, text.encode("utf-8", "replace"))
    text = report.FORMATS[config.format](answers)
    if not config.output_file:
        return text
    atomic.write_output(config.output_file, text)
    return ""


def _page(
    config: Classification,
    classifier: Classifier,
    images: Images,
    answers: Sequence[tuple[str, list[Guess]]],
) -> str:
    shown: dict[str, Image.Image] = {}
    overlays: dict[str, Image.Image] = {}
    for path, _ in answers[: answers_page.MAX_SHOWN]:
        content = images[path]
        with contextlib.suppress(BadImageError):  # Gone or changed since it was classified.
            encoded = prepare.prepare(reading.read(path) if content is None else content).encoded
            with Image.open(io.BytesIO(encoded)) as image:
                shown[path] = thumbnail.fit(image)
        if config.grad_cam:
            overlays[path] = answers_page.overlay(*classifier.look(path, content))
    return answers_page.render(classifier.name, answers, shown, overlays)
