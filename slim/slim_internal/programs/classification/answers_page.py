"""A page of thumbnails with what a network says of them."""

import os
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from PIL import Image

from slim_internal.parts.reports import page, thumbnail
from slim_internal.parts.reports.phrases import count
from slim_internal.parts.reports.thumbnail import Thumbnail
from slim_internal.programs.classification.classifier import Guess

# More images make a page that no browser opens.
MAX_SHOWN = 1000
_RUNNERS_UP = 2
_STRENGTH = 0.55  # Of the color over the image, 0 to 1.


def render(
    network: str,
    answers: Sequence[tuple[str, Sequence[Guess]]],
    images: Mapping[str, Image.Image],
    overlays: Mapping[str, Image.Image],
) -> str:
    """Returns the page.

    Args:
      network: What answers.
      answers: Name of each image and its most likely classes.
      images: Name -> the image; those that are missing are not shown.
      overlays: Name -> what the network sees, where it looks at in color; may be empty.
    """
    shown = answers[:MAX_SHOWN]
    cut = len(answers) - len(shown)
    parts = [page.paragraph(f"{cut:,} more are not shown.")] if cut else []
    if overlays:
        parts.insert(
            0,
            page.paragraph(
                "Beside each image what the network sees of it; in red what speaks most for its"
                " answer (Grad-CAM, arXiv 1610.02391)."
            ),
        )
        rows = [list(_thumbnails(*answer, images, overlays)) for answer in shown]
    else:
        rows = [[each for answer in shown for each in _thumbnails(*answer, images, {})]]
    return page.render(
        f"What {network} says",
        [page.section("Images", *parts, thumbnail.gallery(rows))],
        lead=count(len(answers), "image"),
    )


def _thumbnails(
    name: str,
    guesses: Sequence[Guess],
    images: Mapping[str, Image.Image],
    overlays: Mapping[str, Image.Image],
) -> Iterator[Thumbnail]:
    first, *others = guesses
    more = [f"{guess.name} {guess.probability:.1%}" for guess in others[:_RUNNERS_UP]]
    detail = " · ".join([*more, os.path.basename(name)])
    if name in images:
        answer = f"{first.name} {first.probability:.1%}"
        yield thumbnail.make(images[name], answer, detail, name)
    if name in overlays:
        yield thumbnail.make(overlays[name], f"why {first.name}", "", name)


def overlay(preprocessed: np.ndarray, heat: np.ndarray) -> Image.Image:
    """Returns an image with the places colored that speak for an answer.

    Args:
      preprocessed: As the network reads it, float32 [height, width, 1 or 3], of any range.
      heat: How much each place speaks for the answer, float32 [rows, columns], 0 to 1.
    """
    low, high = float(preprocessed.min()), float(preprocessed.max())
    scaled = (preprocessed - low) * (255 / max(high - low, 1e-6))
    gray = Image.fromarray(np.broadcast_to(scaled, (*scaled.shape[:2], 3)).astype(np.uint8))
    size = gray.size
    alpha = Image.fromarray((heat * 255).astype(np.uint8)).resize(size, Image.Resampling.BICUBIC)
    strength = np.asarray(alpha, np.float32)[..., np.newaxis] / 255 * _STRENGTH
    mixed = np.asarray(gray, np.float32) * (1 - strength) + np.array([255, 40, 0]) * strength
    return Image.fromarray(mixed.astype(np.uint8))
