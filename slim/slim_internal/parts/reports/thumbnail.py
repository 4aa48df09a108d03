"""Small images with a caption, for pages and contact sheets."""

import base64
import dataclasses
import io
import itertools
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from slim_internal.ground.images import pixels
from slim_internal.parts.reports.page import Markup, escape, paragraph

# (xmin, ymin, xmax, ymax) as fractions of width and height.
Box = tuple[float, float, float, float]

# Height and width in pixels of the square that an image is fitted into.
SIDE = 192
_BOX_COLORS = ("#ff3b30", "#ffd60a", "#0a84ff", "#34c759", "#ff2d92")


@dataclasses.dataclass(frozen=True)
class Thumbnail:
    """An image to be shown.

    Attributes:
      image: The image, at most `SIDE` pixels wide and high.
      name: First line of its caption, such as its class.
      detail: Second line, such as its size.
      place: Where it was found, such as file and record; "" where nobody needs to know.
      lossless: Whether its pixels have to stay as they are; else it is stored as a JPEG.
    """

    image: Image.Image
    name: str
    detail: str = ""
    place: str = ""
    lossless: bool = False


def make(
    image: Image.Image, name: str, detail: str = "", place: str = "", boxes: Sequence[Box] = ()
) -> Thumbnail:
    """Returns the thumbnail of an image of any mode and size."""
    lossless = max(image.size) <= SIDE
    return Thumbnail(fit(image, boxes), name, detail, place, lossless)


def of_prepared(values: np.ndarray, name: str, detail: str = "") -> Thumbnail:
    """Returns the thumbnail of what a network gets: float [height, width, 1 or 3] of any range."""
    low, high = float(values.min()), float(values.max())
    if low >= -1.001 and high <= 1.001:
        low, high = -1.0, 1.0  # Most networks read this range: keep dark images dark.
    levels = ((values - low) / max(high - low, 1e-6) * 255).clip(0, 255)
    return make(
        Image.fromarray(
            np.squeeze(levels.astype(np.uint8), axis=-1)
            if values.shape[-1] == 1
            else levels.astype(np.uint8)
        ),
        name,
        detail,
    )


def fit(image: Image.Image, boxes: Sequence[Box] = (), side: int = SIDE) -> Image.Image:
    """Returns an image fitted into a square of `side` pixels, with its boxes.

    Small images are enlarged by a whole number, so that their pixels stay pixels.
    """
    scale = side / max(image.size)
    enlarge = scale >= 1
    if enlarge:
        scale = int(scale)
    width, height = (max(1, round(length * scale)) for length in image.size)
    method = Image.Resampling.NEAREST if enlarge else Image.Resampling.LANCZOS
    tile = pixels.to_rgb(image).resize((width, height), method)
    pen = ImageDraw.Draw(tile)
    for (xmin, ymin, xmax, ymax), color in zip(boxes, itertools.cycle(_BOX_COLORS)):
        left, right = sorted((xmin * (width - 1), xmax * (width - 1)))
        top, bottom = sorted((ymin * (height - 1), ymax * (height - 1)))
        # A dark line around the bright one keeps the box visible on every ground.
        pen.rectangle((left - 1, top - 1, right + 1, bottom + 1), outline="#000000")
        pen.rectangle((left, top, right, bottom), outline=color, width=2)
    return tile


def gallery(rows: Sequence[Sequence[Thumbnail]]) -> Markup:
    """Returns thumbnails in rows; a row that is wider than the window goes on below."""
    if not any(rows):
        return paragraph("There is no image that could be shown.")
    return Markup("\n".join(f'<ul class="row">\n{"".join(map(_figure, row))}</ul>' for row in rows))


def _figure(shown: Thumbnail) -> str:
    width, height = shown.image.size
    caption = ", ".join(filter(None, (shown.name, shown.detail)))
    detail = f"<span>{escape(shown.detail)}</span>" if shown.detail else ""
    title = f' title="{escape(shown.place)}"' if shown.place else ""
    return (
        f'<li><figure{title}><div><img src="{_data_url(shown)}" alt="{escape(caption)}" '
        f'width="{width}" height="{height}" loading="lazy"></div>'
        f"<figcaption>{escape(shown.name)}{detail}</figcaption></figure></li>\n"
    )


def _data_url(shown: Thumbnail) -> str:
    kind = "PNG" if shown.lossless else "JPEG"
    buffer = io.BytesIO()
    shown.image.save(buffer, format=kind, quality=85)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"
