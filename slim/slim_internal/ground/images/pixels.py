"""Pixels of pictures that Pillow has read, as TensorFlow's decoders would give them."""

import numpy as np
from PIL import Image


def to_rgb(image: Image.Image) -> Image.Image:
    """Returns a picture of any mode as RGB, 8 bits per sample.

    Transparency is dropped; 16 bits per sample lose the lower half, where Pillow would make white
    of everything above 255.
    """
    if image.mode.startswith("I"):
        high = np.asarray(image).astype(np.uint32) >> 8
        image = Image.fromarray(high.astype(np.uint8))
    return image.convert("RGB")
