"""Images that are nearly the same: encoded again, resized, stretched or a little brighter.

An image is reduced to a perceptual hash of 64 bits (the signs of the differences between neighbors
of 8 x 9 gray means, "dHash") and a tile of 16 x 16 gray means. Two images are near duplicates if
few bits differ and the tiles are almost perfectly correlated, which no two of the handwritten
digits are. Cropped, turned and mirrored copies are not found, nor are images without detail.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from PIL import Image

_MAX_BITS = 8
_MIN_CORRELATION = 0.99
_TILE = 16
_MIN_DETAIL = 3.0  # Standard deviation of a tile, 0 to 127.
# So many comparisons take some ten seconds; 50,000 images against as many are half of it.
MAX_COMPARISONS = 5_000_000_000
_BLOCK = 20_000_000  # Comparisons at once, for bounded memory.


@dataclasses.dataclass(frozen=True)
class Fingerprint:
    """What is remembered of an image.

    Attributes:
      bits: The hash, 64 bits.
      tile: Gray means, 256 bytes.
    """

    bits: int
    tile: bytes


def fingerprint(image: Image.Image) -> Fingerprint | None:
    """Returns the fingerprint of an image; None if it has no detail that could tell it."""
    if image.format == "JPEG" and max(image.size) > 8 * _TILE:
        image.draft("L", (4 * _TILE, 4 * _TILE))  # Decodes it smaller, if it is not decoded yet.
    gray = image.convert("L")
    tile = np.asarray(gray.resize((_TILE, _TILE), Image.Resampling.BOX))
    if tile.std() < _MIN_DETAIL:
        return None
    means = np.asarray(gray.resize((9, 8), Image.Resampling.BOX), np.int16)
    bits = np.packbits(means[:, 1:] > means[:, :-1])
    return Fingerprint(int.from_bytes(bits.tobytes(), "little"), tile.tobytes())


def pairs(
    first: Sequence[Fingerprint | None], second: Sequence[Fingerprint | None]
) -> list[tuple[int, int]] | None:
    """Returns which images of one sequence are near duplicates of which of another.

    Returns:
      Their places in both, the most alike first; None if there are too many to compare.
    """
    if len(first) * len(second) > MAX_COMPARISONS:
        return None
    places, bits, tiles = zip(*map(_arrays, (first, second)), strict=True)
    if not all(map(len, places)):
        return []
    step = max(1, _BLOCK // len(places[1]))
    found = []
    for start in range(0, len(places[0]), step):
        different = np.bitwise_count(bits[0][start : start + step, np.newaxis] ^ bits[1])
        rows, columns = np.nonzero(different <= _MAX_BITS)
        rows += start
        for part in range(0, len(rows), _BLOCK // _TILE**2):
            here = slice(part, part + _BLOCK // _TILE**2)
            alike = np.einsum("ij,ij->i", tiles[0][rows[here]], tiles[1][columns[here]])
            found += [
                (-float(alike[n]), int(places[0][rows[here][n]]), int(places[1][columns[here][n]]))
                for n in np.flatnonzero(alike >= _MIN_CORRELATION)
            ]
    return [(one, other) for _, one, other in sorted(found)]


def _arrays(prints: Sequence[Fingerprint | None]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns places, hashes and standardized tiles of the images that have a fingerprint."""
    known = [(place, each) for place, each in enumerate(prints) if each is not None]
    bits = np.array([each.bits for _, each in known], np.uint64)
    raw = np.frombuffer(b"".join(each.tile for _, each in known), np.uint8)
    tiles = raw.reshape(len(known), _TILE**2).astype(np.float32)
    tiles -= tiles.mean(axis=1, keepdims=True)
    tiles /= np.linalg.norm(tiles, axis=1, keepdims=True)
    return np.array([place for place, _ in known], np.int64), bits, tiles
