"""One sheet that shows what augmentations make of images."""

import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from PIL import Image

from deployment import sessions
from preprocessing import augmentations
from slim_internal.ground import errors
from slim_internal.ground.compat import tf
from slim_internal.ground.files import atomic, space
from slim_internal.ground.images import pixels, prepare, reading
from slim_internal.ground.images.image import BadImageError
from slim_internal.parts.input_pipeline import mixing, stateless_random
from slim_internal.parts.reports import contact_sheet, thumbnail
from slim_internal.programs.preview.settings import Preview


def write(config: Preview, paths: Sequence[str]) -> str:
    """Writes the sheet and returns a sentence that says so.

    Each image has a row per operation: the image itself, then `draws` variations. What mixes two
    images mixes it with the next one.

    Args:
      config: The settings.
      paths: The image files.

    Raises:
      errors.UserError: if an operation is unknown, or a file cannot be read or written.
    """
    names = _names(config.augment, len(paths))
    kind = _format(config.output_file)
    sessions.announce_cpu()
    images = [_read(path, config.image_size) for path in paths]
    shown = zip(paths, images, [*images[1:], *images[:1]], strict=True)
    rows = [row for each in shown for row in _rows(config, *each, names)]
    title = "Augmentations"
    sheet = contact_sheet.draw(title, f"{config.draws} draws of each, seed {config.seed}", rows)
    target = f"--output_file={config.output_file}"
    try:
        content = pixels.encode(sheet, kind)
    except (OSError, ValueError) as error:  # Pillow has no place for it in that format.
        raise errors.UserError(f"Cannot write to {target}: {error}.") from error
    with space.write_errors_explained(target):
        atomic.write_output(config.output_file, content)
    return f"Wrote {len(rows)} rows to {config.output_file}."


def _names(augment: str | None, num_images: int) -> Sequence[str]:
    """Returns the operations to show; those that mix images need two of them.

    Raises:
      errors.UserError: if one is unknown, or if there are not enough images.
    """
    names = augmentations.parse(augment, mixing.MIXINGS)
    if not num_images:
        raise errors.UserError("There is no image to show: name image files after the flags.")
    mixings = [name for name in names if name in mixing.MIXINGS]
    if mixings and num_images == 1:
        raise errors.UserError(
            f"--augment={mixings[0]} mixes two images: name another image file after the flags."
        )
    return names or [*augmentations.OPERATIONS, *(mixing.MIXINGS if num_images > 1 else ())]


def _format(path: str) -> str:
    """Returns the format that the name of an image file stands for."""
    kind = Image.registered_extensions().get(pathlib.Path(path).suffix.lower())
    if kind not in Image.SAVE:
        raise errors.UserError(
            f"Cannot write to --output_file={path}: its name has to end like that of an image that"
            " can be written, such as .png or .jpg."
        )
    return kind


def _rows(
    config: Preview, path: str, original: np.ndarray, partner: np.ndarray, names: Sequence[str]
) -> Iterator[list[thumbnail.Thumbnail]]:
    for operation in names:
        if operation in mixing.MIXINGS:
            draws = _mixed(config, original, partner, operation)
            details = [f"{fraction:.0%} of the label stays" for _, fraction in draws]
            variations = [image for image, _ in draws]
        else:
            variations = _varied(config, original, operation)
            details = [f"draw {number + 1}" for number in range(config.draws)]
        yield [
            _thumbnail(original, pathlib.Path(path).name, f"for {operation}"),
            *map(_thumbnail, variations, [operation] * config.draws, details),
        ]


def _thumbnail(values: np.ndarray, name: str, detail: str) -> thumbnail.Thumbnail:
    return thumbnail.make(Image.fromarray(np.rint(values * 255).astype(np.uint8)), name, detail)


def _varied(config: Preview, original: np.ndarray, name: str) -> list[np.ndarray]:
    """Returns variations of an image, as training would see them."""
    vary = augmentations.augmented(augmentations.apply, (name,))

    def build(number):
        with stateless_random.draws(config.seed, number):
            return vary(tf.constant(original))

    return _draws(config, build)


def _mixed(
    config: Preview, original: np.ndarray, partner: np.ndarray, name: str
) -> list[tuple[np.ndarray, float]]:
    """Returns an image mixed with another one, and the fraction of its label that stays."""
    alphas = {name: config.mixing_alpha}

    def build(number):
        images, mix_labels = mixing.mix(tf.stack([original, partner]), alphas, config.seed, number)
        return images[0], mix_labels(tf.eye(2))[0, 0]

    return _draws(config, build)


def _draws(config: Preview, build: Callable[[tf.Tensor], Any]) -> list:
    """Returns what a function of the number of the draw builds, as arrays, for each draw."""
    with tf.Graph().as_default(), tf.Session(config=sessions.cpu_config()) as session:
        number = tf.placeholder(tf.int64, [])
        built = build(number)
        return [session.run(built, {number: position}) for position in range(config.draws)]


def _read(path: str, size: int) -> np.ndarray:
    """Returns an image file as float32 [size, size, 3] from 0 to 1."""
    try:
        prepared = prepare.prepare(reading.read(path))
    except BadImageError as error:
        raise errors.UserError(f"Cannot read the image {path}: {error}.") from error
    image = Image.fromarray(prepare.decode_rgb(prepared.encoded))
    return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR), np.float32) / 255
