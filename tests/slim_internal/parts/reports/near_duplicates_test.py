"""Copies that somebody made of images are found, other images are not."""

import io
import time

import numpy as np
import pytest
from PIL import Image
from sklearn import datasets

from slim_internal.parts.reports import near_duplicates
from slim_internal.parts.reports.near_duplicates import Fingerprint


def photo(seed: int, size: tuple[int, int] = (320, 240)) -> Image.Image:
    """Smooth shapes with edges and grain, as photographs have them."""
    random = np.random.RandomState(seed)
    small = random.randint(0, 256, (9, 12, 3)).astype(np.uint8)
    pixels = np.asarray(Image.fromarray(small).resize(size, Image.Resampling.BICUBIC), np.int16)
    grained = pixels + random.randint(-4, 5, pixels.shape)
    return Image.fromarray(np.clip(grained, 0, 255).astype(np.uint8))


def _encoded(image, quality):
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(io.BytesIO(file.getvalue()))


COPIES = {
    "the_same": lambda image: image,
    "encoded_again": lambda image: _encoded(image, 40),
    "half_the_size": lambda image: image.resize((160, 120)),
    "twice_the_size": lambda image: image.resize((640, 480)),
    "stretched": lambda image: image.resize((240, 240)),
    "brighter": lambda image: Image.eval(image, lambda value: min(255, value + 8)),
    "grayscale": lambda image: image.convert("L"),
}
PHOTOS = [photo(seed) for seed in range(40)]
PRINTS = [near_duplicates.fingerprint(image) for image in PHOTOS]


@pytest.mark.parametrize("copy", COPIES.values(), ids=COPIES)
def test_copies_are_found_and_nothing_else(copy):
    copies = [near_duplicates.fingerprint(copy(image)) for image in PHOTOS[:20]]
    assert sorted(near_duplicates.pairs(copies, PRINTS)) == [(n, n) for n in range(20)]


def test_no_two_digits_are_nearly_the_same():
    images = datasets.load_digits().images
    prints = [
        near_duplicates.fingerprint(Image.fromarray((15 * image).astype(np.uint8)))
        for image in images
    ]
    assert near_duplicates.pairs(prints[:1000], prints[1000:]) == []


def test_images_without_detail_tell_nothing():
    flat = near_duplicates.fingerprint(Image.new("RGB", (50, 50), "red"))
    assert flat is None
    assert near_duplicates.pairs([flat, PRINTS[0]], [PRINTS[0], flat]) == [(1, 0)]
    assert near_duplicates.pairs([flat], [flat]) == near_duplicates.pairs([], PRINTS) == []


def test_50_000_images_take_bounded_time_and_far_more_are_not_compared(monkeypatch):
    random = np.random.RandomState(0)
    tiles = random.randint(0, 256, (50_000, 256)).astype(np.uint8)
    prints = [
        Fingerprint(int(bits), tile.tobytes())
        for bits, tile in zip(random.randint(0, 2**63, 50_000), tiles, strict=True)
    ]
    start = time.process_time()
    found = near_duplicates.pairs(prints[:45_000], prints[40_000:])
    assert sorted(found) == [(n, n - 40_000) for n in range(40_000, 45_000)]
    assert time.process_time() - start < 20
    monkeypatch.setattr(near_duplicates, "MAX_COMPARISONS", 99)
    assert near_duplicates.pairs(prints[:10], prints[:10]) is None
