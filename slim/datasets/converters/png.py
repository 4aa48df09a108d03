"""Encodes small pictures as PNG, for data sets that publish bare pixels."""

import io

import numpy as np
from PIL import Image


def encode(pixels: np.ndarray) -> bytes:
    """Returns the PNG of `[h, w]` or `[h, w, 3]` pixels of 8 bits."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()
