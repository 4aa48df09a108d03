"""Which images are shown."""

import io

import pytest
from PIL import Image

from slim_internal.parts.reports import thumbnail
from slim_internal.programs.inspection import dataset_files, samples, survey
from tests.slim_internal.programs.inspection import sets


def choose(folder, num_classes: int, per_class: int, count: int):
    names = [f"class {n}" for n in range(num_classes)]
    shards = {
        f"{split}-0": [
            sets.record(sets.image(2 * n + (split == "test")), n % num_classes)
            for n in range(num_classes * per_class)
        ]
        for split in ("train", "test")
    }
    sets.write(folder, shards, names)
    found = survey.take(dataset_files.find(str(folder)))
    return found, samples.choose(found, count)


CASES = {
    # classes, images of each per split, wanted -> labels of each row.
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
    _, chosen = choose(tmp_path, classes, each, count)
    assert [[sample.label for sample in row] for row in chosen] == rows
    places = [sample.place for row in chosen for sample in row]
    assert len(set(places)) == len(places)


def test_splits_take_turns(tmp_path):
    _, ((*row,), _) = choose(tmp_path, 2, 4, 8)
    assert [sample.split for sample in row] == ["test", "train"] * 2


def test_the_image_is_the_one_of_its_record(tmp_path):
    _, chosen = choose(tmp_path, 2, 3, 6)
    for row in chosen:
        for sample in row:
            number = 2 * sample.place.record + (sample.split == "test")
            wanted = Image.open(io.BytesIO(sets.image(number)))
            assert sample.shown.image.tobytes() == thumbnail.fit(wanted).tobytes()
