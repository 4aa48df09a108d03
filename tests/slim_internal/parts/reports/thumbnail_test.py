"""Images made small, their boxes, and galleries of them."""

import numpy as np
import pytest
from PIL import Image

from slim_internal.parts.reports import thumbnail
from tests.slim_internal.parts.reports.parsed_page import ParsedPage


@pytest.mark.parametrize(
    ("size", "tile"),
    [((8, 8), (192, 192)), ((28, 14), (168, 84)), ((400, 200), (192, 96)), ((3000, 1), (192, 1))],
    ids=["tiny", "whole_factor", "large", "thin"],
)
def test_fit_fits_the_square(size, tile):
    assert thumbnail.fit(Image.new("RGB", size), ()).size == tile


@pytest.mark.parametrize("mode", ["L", "RGBA", "CMYK", "P", "I;16"])
def test_fit_takes_every_mode(mode):
    assert thumbnail.fit(Image.new(mode, (10, 10)), ()).mode == "RGB"


def test_fit_keeps_the_greys_of_16_bits():
    levels = np.linspace(0, 65535, 192 * 96).astype(np.uint16).reshape(96, 192)
    tile = np.asarray(thumbnail.fit(Image.fromarray(levels), ()))
    np.testing.assert_array_equal(tile, np.repeat((levels >> 8)[..., np.newaxis], 3, axis=2))


def test_fit_puts_boxes_where_they_belong():
    tile = thumbnail.fit(Image.new("RGB", (192, 96), "white"), ((0.25, 0.5, 0.75, 1.0),))
    pixels = np.asarray(tile).astype(int)
    changed = np.argwhere((pixels != 255).any(axis=2))
    (top, left), (bottom, right) = changed.min(axis=0), changed.max(axis=0)
    # The dark line runs one pixel outside of the bright one.
    assert (left, top, right, bottom) == pytest.approx((47, 46, 144, 95), abs=1.5)
    assert (pixels[70, 96] == 255).all()


def test_fit_survives_any_box():
    boxes = ((0.9, 0.9, 0.1, 0.1), (-5.0, -5.0, 5.0, 5.0), (0.5, 0.5, 0.5, 0.5))
    thumbnail.fit(Image.new("RGB", (50, 50)), boxes)


def test_gallery_escapes_captions():
    shown = thumbnail.make(Image.new("L", (8, 8)), "<b>", "a & b", 'file "x"')
    (figure,) = ParsedPage(thumbnail.gallery([[shown]])).all("figure")
    assert figure == {"title": 'file "x"'}
    (image,) = ParsedPage(thumbnail.gallery([[shown]])).all("img")
    assert image["alt"] == "<b>, a & b"
    assert ParsedPage(thumbnail.gallery([[shown]])).text.split() == ["<b>a", "&", "b"]


@pytest.mark.parametrize(("side", "kind"), [(192, "png"), (193, "jpeg")])
def test_gallery_keeps_pixels_of_small_images_only(side, kind):
    shown = thumbnail.make(Image.new("RGB", (side, 5)), "")
    (image,) = ParsedPage(thumbnail.gallery([[shown]])).all("img")
    assert image["src"].startswith(f"data:image/{kind};base64,")


@pytest.mark.parametrize("rows", [[], [[]]])
def test_gallery_of_nothing_says_so(rows):
    assert "There is no image" in thumbnail.gallery(rows)
