"""What training sees of images: the random preprocessing of a network, drawn several times."""

from collections.abc import Sequence

import numpy as np

from deployment import sessions
from nets import nets_factory
from nets.network import Network
from preprocessing import preprocessing_factory
from slim_internal.ground.compat import tf
from slim_internal.ground.errors import UserError
from slim_internal.parts.input_pipeline import stateless_random
from slim_internal.parts.reports import stored_example, thumbnail
from slim_internal.parts.reports.stored_example import StoredExample
from slim_internal.parts.reports.thumbnail import Thumbnail

DRAWS = 7


def preview(
    examples: Sequence[StoredExample],
    names: Sequence[str],
    model_name: str,
    seed: int = 0,
    image_size: int | None = None,
) -> list[list[Thumbnail]]:
    """Returns a row for each example: the image as stored, then as `DRAWS` steps would see it.

    Args:
      examples: Examples whose images can be read.
      names: What their images are called.
      model_name: The network; its own preprocessing is used.
      seed: Decides the draws.
      image_size: Height and width in pixels; the network's own unless given.

    Raises:
      UserError: The network is unknown or reads clips.
    """
    network = require_images(model_name)
    sessions.announce_cpu()
    preprocess = preprocessing_factory.get_preprocessing(network.preprocessing, is_training=True)
    size = image_size or network.default_image_size
    with tf.Graph().as_default(), tf.Session(config=sessions.cpu_config()) as session:
        encoded, number = tf.placeholder(tf.string, []), tf.placeholder(tf.int64, [])
        channels = 1 if all(map(_is_gray, examples)) else 3
        decoded = tf.image.decode_image(encoded, channels=channels, expand_animations=False)
        decoded.set_shape([None, None, channels])
        with stateless_random.draws(seed, number):
            augmented = preprocess(decoded, size, size)
        return [
            [
                _stored(example, name),
                *(
                    _drawn(session.run(augmented, {encoded: example.encoded, number: draw}), draw)
                    for draw in range(row * DRAWS, (row + 1) * DRAWS)
                ),
            ]
            for row, (example, name) in enumerate(zip(examples, names, strict=True))
        ]


def require_images(model_name: str) -> Network:
    """Returns the network of that name; raises `UserError` unless it reads images."""
    network = nets_factory.get_network(model_name)
    if network.num_frames:
        raise UserError(f"--model_name={model_name} reads clips; only images can be previewed.")
    return network


def _is_gray(example: StoredExample) -> bool:
    with stored_example.open_image(example.encoded, decode=False) as image:
        return image.mode in ("1", "L")


def _stored(example: StoredExample, name: str) -> Thumbnail:
    with stored_example.open_image(example.encoded) as image:
        return thumbnail.make(image, name, f"as stored, {image.width} x {image.height}")


def _drawn(values: np.ndarray, number: int) -> Thumbnail:
    return thumbnail.of_prepared(values, f"draw {number % DRAWS + 1}")
