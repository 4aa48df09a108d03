"""Which pictures are shown, and where their boxes are drawn."""

import io

import numpy as np
import pytest
from PIL import Image

from slim_internal.programs.inspection import contact_sheet, files, samples, survey
from tests.slim_internal.programs.inspection import sets


def choose(folder, num_classes: int, per_class: int, count: int):
    names = [f"class {n}" for n in range(num_classes)]
    shards = {
        f"{split}-0": [
            sets.record(sets.picture(2 * n + (split == "test")), n % num_classes)
            for n in range(num_classes * per_class)
        ]
        for split in ("train", "test")
    }
    sets.write(folder, shards, names)
    found = survey.take(files.find(str(folder)))
    return found, samples.choose(found, count)


CASES = {
    # classes, pictures of each per split, wanted -> labels of each row.
    "a_row_per_class": (3, 4, 12, [[0] * 4, [1] * 4, [2] * 4]),
    "no_more_than_a_row_holds": (2, 9, 100, [[0] * 8, [1] * 8]),
    "no_more_than_there_are": (2, 1, 100, [[0] * 2, [1] * 2]),
    "fewer_wanted_than_classes": (3, 1, 2, [[0], [2]]),
    "many_classes": (18, 1, 30, [[*range(8)], [*range(8, 16)], [16, 17]]),
    "several_of_many_classes": (
        17,
        1,
        100,
        [
            [0, 0, 1, 1, 2, 2, 3, 3],
            [4, 4, 5, 5, 6, 6, 7, 7],
            [8, 8, 9, 9, 10, 10, 11, 11],
            [12, 12, 13, 13, 14, 14, 15, 15],
            [16, 16],
        ],
    ),
    "more_classes_than_wanted": (31, 1, 4, [[0, 10, 20, 30]]),
    "none_wanted": (3, 1, 0, []),
}


@pytest.mark.parametrize(("classes", "each", "count", "rows"), CASES.values(), ids=CASES)
def test_choose(tmp_path, classes, each, count, rows):
    found, chosen = choose(tmp_path, classes, each, count)
    assert [[sample.label for sample in row] for row in chosen] == rows
    places = [sample.place for row in chosen for sample in row]
    assert len(set(places)) == len(places)
    sheet = contact_sheet.draw(found, chosen)
    assert sheet.height > len(rows) * samples.TILE


def test_splits_take_turns(tmp_path):
    _, ((*row,), _) = choose(tmp_path, 2, 4, 8)
    assert [sample.split for sample in row] == ["test", "train"] * 2


@pytest.mark.parametrize(
    ("size", "tile"),
    [((8, 8), (192, 192)), ((28, 14), (168, 84)), ((400, 200), (192, 96)), ((3000, 1), (192, 1))],
    ids=["tiny", "whole_factor", "large", "thin"],
)
def test_draw_fits_the_square(size, tile):
    assert samples.draw(Image.new("RGB", size), ()).size == tile


@pytest.mark.parametrize("mode", ["L", "RGBA", "CMYK", "P", "I;16"])
def test_draw_takes_every_mode(mode):
    assert samples.draw(Image.new(mode, (10, 10)), ()).mode == "RGB"


def test_draw_keeps_the_greys_of_16_bits():
    levels = np.linspace(0, 65535, 192 * 96).astype(np.uint16).reshape(96, 192)
    tile = np.asarray(samples.draw(Image.fromarray(levels), ()))
    np.testing.assert_array_equal(tile, np.repeat((levels >> 8)[..., np.newaxis], 3, axis=2))


def test_draw_puts_boxes_where_they_belong():
    tile = samples.draw(Image.new("RGB", (192, 96), "white"), ((0.25, 0.5, 0.75, 1.0),))
    pixels = np.asarray(tile).astype(int)
    changed = np.argwhere((pixels != 255).any(axis=2))
    (top, left), (bottom, right) = changed.min(axis=0), changed.max(axis=0)
    # The dark line runs one pixel outside of the bright one.
    assert (left, top, right, bottom) == pytest.approx((47, 46, 144, 95), abs=1.5)
    assert (pixels[70, 96] == 255).all()


def test_draw_survives_any_box():
    boxes = ((0.9, 0.9, 0.1, 0.1), (-5.0, -5.0, 5.0, 5.0), (0.5, 0.5, 0.5, 0.5))
    samples.draw(Image.new("RGB", (50, 50)), boxes)


def test_the_picture_is_the_one_of_its_record(tmp_path):
    _, chosen = choose(tmp_path, 2, 3, 6)
    for row in chosen:
        for sample in row:
            number = 2 * sample.place.record + (sample.split == "test")
            wanted = Image.open(io.BytesIO(sets.picture(number)))
            assert sample.tile.tobytes() == samples.draw(wanted, ()).tobytes()
