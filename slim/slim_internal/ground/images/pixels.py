"""Pixels of images that Pillow has read, as TensorFlow's decoders would give them, and back."""

import io

import numpy as np
from PIL import Image


def to_rgb(image: Image.Image) -> Image.Image:
    """Returns an image of any mode as RGB, 8 bits per sample.

    Transparency is dropped; 16 bits per sample lose the lower half, where Pillow would make white
    of everything above 255.
    """
    if image.mode.startswith("I"):
        high = np.asarray(image).astype(np.uint32) >> 8
        image = Image.fromarray(high.astype(np.uint8))
    return image.convert("RGB")


def encode_png(pixels: np.ndarray) -> bytes:
    """Returns the PNG of `[h, w]` or `[h, w, 3]` pixels of 8 bits."""
    return encode(Image.fromarray(pixels), "PNG")


def encode(image: Image.Image, image_format: str, **options) -> bytes:
    """Returns the bytes of an image file; the options are those of Pillow's writer."""
    buffer = io.BytesIO()
    image.save(buffer, format=image_format, **options)
    return buffer.getvalue()
