"""Published weights of a small network, made on the spot: as a checkpoint and as an archive."""

import io
import os
import pathlib
import tarfile
from collections.abc import Mapping

import numpy as np
from PIL import Image

from slim_internal.ground.compat import tf
from slim_internal.parts.checkpoints import contents, published

WEIGHTS = published.get("mobilenet_v1_0.25_128")
ARCHIVE = WEIGHTS.checkpoint.archive
SHAPES = contents.expected_shapes(WEIGHTS.network, WEIGHTS.checkpoint)


def values(shapes: Mapping[str, list[int]] = SHAPES) -> dict[str, np.ndarray]:
    """Returns small random weights, always the same."""
    random = np.random.default_rng(5)
    return {
        name: random.uniform(0.01, 0.1, shape).astype(np.float32) for name, shape in shapes.items()
    }


def save(path: pathlib.Path, tensors: Mapping[str, np.ndarray]) -> str:
    """Saves tensors as a checkpoint and returns its path."""
    os.makedirs(path.parent, exist_ok=True)
    with tf.Graph().as_default(), tf.Session() as session:
        arrays = [tf.constant(tensor) for tensor in tensors.values()]
        session.run(
            tf.raw_ops.SaveV2(
                prefix=str(path),
                tensor_names=list(tensors),
                shape_and_slices=[""] * len(tensors),
                tensors=arrays,
            )
        )
    return str(path)


def archive(folder: pathlib.Path, *, gzipped: bool = True) -> bytes:
    """Returns a tar archive of a folder's files, as the published ones are."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz" if gzipped else "w") as tar:
        tar.add(folder, arcname=".")
    return data.getvalue()


def good_archive(folder: pathlib.Path) -> bytes:
    """Returns the archive of good weights, made in a folder."""
    save(folder / f"{WEIGHTS.name}.ckpt", values())
    return archive(folder)


def image(path: pathlib.Path) -> str:
    """Writes a PNG image of 40 x 30 pixels and returns its path."""
    pixels = np.random.default_rng(6).integers(0, 255, (30, 40, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return str(path)
