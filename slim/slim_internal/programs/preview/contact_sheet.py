"""One sheet that shows what augmentations make of images."""

import pathlib
from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image

from deployment import sessions
from preprocessing import augmentations
from slim_internal.ground import errors
from slim_internal.ground.compat import tf
from slim_internal.ground.files import atomic, space
from slim_internal.ground.images import pixels, prepare, reading
from slim_internal.ground.images.image import BadImageError
from slim_internal.parts.input_pipeline import stateless_random
from slim_internal.parts.reports import contact_sheet, thumbnail
from slim_internal.programs.preview.settings import Preview


def write(config: Preview, paths: Sequence[str]) -> str:
    """Writes the sheet and returns a sentence that says so.

    Each image has a row per operation: the image itself, then `draws` variations.

    Args:
      config: The settings.
      paths: The image files.

    Raises:
      errors.UserError: if an operation is unknown, or a file cannot be read or written.
    """
    names = augmentations.parse(config.augment) or tuple(augmentations.OPERATIONS)
    if not paths:
        raise errors.UserError("There is no image to show: name image files after the flags.")
    kind = _format(config.output_file)
    sessions.announce_cpu()
    rows = [row for path in paths for row in _rows(config, path, names)]
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


def _format(path: str) -> str:
    """Returns the format that the name of an image file stands for."""
    kind = Image.registered_extensions().get(pathlib.Path(path).suffix.lower())
    if kind not in Image.SAVE:
        raise errors.UserError(
            f"Cannot write to --output_file={path}: its name has to end like that of an image that"
            " can be written, such as .png or .jpg."
        )
    return kind


def _rows(config: Preview, path: str, names: Sequence[str]) -> Iterator[list[thumbnail.Thumbnail]]:
    original = _read(path, config.image_size)
    image = Image.fromarray(np.rint(original * 255).astype(np.uint8))
    for name in names:
        shown = [thumbnail.make(image, pathlib.Path(path).name, f"for {name}")]
        for number, values in enumerate(_draws(config, original, name)):
            varied = Image.fromarray(np.rint(values * 255).astype(np.uint8))
            shown.append(thumbnail.make(varied, name, f"draw {number + 1}"))
        yield shown


def _draws(config: Preview, original: np.ndarray, name: str) -> list[np.ndarray]:
    """Returns variations of an image, as training would see them."""
    vary = augmentations.augmented(augmentations.apply, (name,))
    with tf.Graph().as_default(), tf.Session(config=sessions.cpu_config()) as session:
        number = tf.placeholder(tf.int64, [])
        with stateless_random.draws(config.seed, number):
            varied = vary(tf.constant(original))
        return [session.run(varied, {number: position}) for position in range(config.draws)]


def _read(path: str, size: int) -> np.ndarray:
    """Returns an image file as float32 [size, size, 3] from 0 to 1."""
    try:
        prepared = prepare.prepare(reading.read(path))
    except BadImageError as error:
        raise errors.UserError(f"Cannot read the image {path}: {error}.") from error
    image = Image.fromarray(prepare.decode_rgb(prepared.encoded))
    return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR), np.float32) / 255
