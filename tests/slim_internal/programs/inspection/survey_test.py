"""What reading a dataset finds."""

import pytest

from slim_internal.programs.inspection import dataset_files, samples, survey
from tests.slim_internal.ground.images import mutations
from tests.slim_internal.programs.inspection import sets


def take(folder, **options) -> survey.Survey:
    return survey.take(dataset_files.find(str(folder)), **options)


def good(seed: int, label: int = 0, **features) -> bytes:
    return sets.record(sets.image(seed), label, **features)


def test_counts(tmp_path):
    boxes = sets.boxes((0.1, 0.2, 0.3, 0.4), (0.0, 0.0, 1.0, 1.0))
    png = sets.record(sets.image(9, 8, 8, "PNG"), 1, width=[8], height=[8])
    train = {f"train-{n}": [good(10 * n + i, i % 2, **boxes) for i in range(5)] for n in (1, 2)}
    sets.write(tmp_path, train | {"test-0": [png]})

    found = take(tmp_path, num_workers=3)

    assert found.problems == ()
    tally = found.splits["train"]
    assert (tally.records, tally.files, tally.boxes) == (10, 2, 20)
    assert tally.bytes == sum((tmp_path / name).stat().st_size for name in train)
    assert tally.labels == {0: 6, 1: 4}
    assert tally.sizes == {(40, 30): 10}
    assert tally.kinds == {"JPEG RGB": 10}
    assert found.splits["test"].kinds == {"PNG RGB": 1}
    assert found.total.labels == {0: 6, 1: 5}
    assert found.total.sizes == {(40, 30): 10, (8, 8): 1}


CUT_BMP = sets.image(3, 200, 200, "BMP")[:-600]
PNG = sets.image(3, kind="PNG")
FAULTS = {
    # A record, and what must be said about it.
    "no_example": (b"\xff\xff\xff", "is no tf.train.Example"),
    "no_image": (sets.record(None, 1), "holds no image"),
    "empty_image": (sets.record(b"", 1), "holds no image"),
    "text_for_image": (sets.record(b"<html>", 1), "has an image that cannot be read"),
    "cut_jpeg": (sets.record(sets.image(3)[:-600], 1), "has an image that cannot be read"),
    "jpeg_without_its_end": (sets.record(sets.image(3)[:-2], 1), "its end marker is missing"),
    "png_without_its_end": (sets.record(PNG[:-12], 1), "its end is missing"),
    "png_with_a_flipped_bit": (
        sets.record(PNG.replace(b"IDATx", b"IDATy"), 1),
        "its part b'IDAT' is damaged",
    ),
    "cut_bmp": (sets.record(CUT_BMP, 1), "has an image that cannot be read"),
    "gif": (sets.record(sets.image(3, kind="GIF"), 1), "has a GIF, which may be animated"),
    "webp": (sets.record(sets.image(3, kind="WEBP"), 1), "has a WebP, which may be animated"),
    "text_for_height": (sets.record(PNG, 1, height=[b"30"]), "no single whole number in 'image/h"),
    "number_for_name": (sets.record(PNG, 1, filename=[3.5]), "no single text in 'image/filename'"),
    "two_widths": (sets.record(PNG, 1, width=[40, 40]), "no single whole number in 'image/width'"),
    "12_of_16_bits": (sets.record(mutations.sixteen_bits(4095), 1), "only the lower 12 are used"),
    "tiff": (sets.record(sets.image(4, kind="TIFF"), 1), "it is TIFF, which is not decoded"),
    "ppm": (sets.record(sets.image(4, kind="PPM"), 1), "it is of no known format"),
    "two_labels": (
        sets.record(sets.image(4), None, class__label=[0, 1]),
        "has 2 labels; a classifier needs one",
    ),
    "raw": (sets.record(PNG, 1, format=[b"RAW"]), "'image/format' says raw pixels"),
    "format_of_another_type": (sets.record(PNG, 1, format=[3]), "no single text in 'image/form"),
    "two_formats": (sets.record(PNG, 1, format=[b"png", b"png"]), "no single text in 'image/f"),
    "no_label": (sets.record(sets.image(4), None), "has no label"),
    "label_too_large": (sets.record(sets.image(5), 2), "has the label 2, which no class has"),
    "negative_label": (sets.record(sets.image(6), -1), "has the label -1"),
    "other_size": (
        sets.record(sets.image(7), 0, width=[30], height=[40]),
        "says 30x40 pixels but its image has 40x30",
    ),
    "box_outside": (
        sets.record(sets.image(8), 0, **sets.boxes((0.5, 0.0, 1.5, 1.0))),
        "outside the image (0.500, 0.000, 1.500, 1.000)",
    ),
    "box_inside_out": (
        sets.record(sets.image(9), 0, **sets.boxes((0.5, 0.0, 0.4, 1.0))),
        "box that is empty",
    ),
    "box_without_a_side": (
        sets.record(sets.image(10), 0, object__bbox__xmin=[0.5]),
        "boxes without all four sides",
    ),
}


@pytest.mark.parametrize(("record", "fault"), FAULTS.values(), ids=FAULTS)
def test_names_a_bad_record(tmp_path, record, fault):
    sets.write(tmp_path, {"train-0": [good(0), record, good(1)]})
    found = take(tmp_path)
    (problem,) = found.problems
    assert problem.place == survey.Place("train-0", 1)
    assert fault in problem.fault
    assert found.splits["train"].records == 3


def test_headers_show_no_damage_further_on_and_such_an_image_is_not_shown(tmp_path):
    sets.write(tmp_path, {"train-0": [sets.record(CUT_BMP, 1), good(0)]})
    found = take(tmp_path, decode=False)
    assert found.problems == ()
    (row,) = samples.choose(found, 5)
    assert [sample.place.record for sample in row] == [1]


DAMAGE = {
    # Change of the bytes of a file of three records -> the records said to be bad; -1 is the file.
    "flipped_bit_in_the_second": (lambda content, n: flip(content, n + n // 2), [-1, 1]),
    "flipped_length_of_the_first": (lambda content, n: flip(content, 0), [-1, 0]),
    "cut_by_1": (lambda content, n: content[:-1], [-1, 2]),
    "empty": (lambda content, n: b"", [-1]),
    "trailing_garbage": (lambda content, n: content + b"x", [3]),
}


def flip(content: bytes, position: int) -> bytes:
    return content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :]


@pytest.mark.parametrize(("change", "bad"), DAMAGE.values(), ids=DAMAGE)
def test_names_a_damaged_file_and_record(tmp_path, change, bad):
    sets.write(tmp_path, {"train-0": [good(n) for n in range(3)], "train-1": [good(4)]})
    path = tmp_path / "train-0"
    content = path.read_bytes()
    path.write_bytes(change(content, len(content) // 3))
    problems = take(tmp_path).problems
    assert [problem.place for problem in problems] == [survey.Place("train-0", n) for n in bad]
    assert ("should hold 3" in problems[0].fault) == (bad[0] == -1)
    assert ("what follows it" in problems[-1].fault) == (bad[-1] >= 0)


def test_names_a_missing_file(tmp_path):
    sets.write(tmp_path, {"train-0": [good(0)], "train-1": [good(1)]})
    (tmp_path / "train-1").unlink()
    assert [str(problem) for problem in take(tmp_path).problems] == ["train-1: is missing"]


def test_duplicates(tmp_path):
    sets.write(
        tmp_path,
        {
            "train-0": [good(1), good(2), good(3), good(3), good(4, 0)],
            "test-0": [good(2), good(5), good(4, 1)],
            "test-1": [good(6), good(2)],
        },
    )
    found = take(tmp_path).duplicates
    # 2 and 4 are in both splits; 3 once more in train, 2 once more in test; 4 has two labels.
    assert (found.between_splits, found.within_splits, found.other_label) == (2, 2, 1)
    assert [[str(place) for place in group] for group in found.groups] == [
        ["train-0, record 1", "test-0, record 0", "test-1, record 1"],
        ["train-0, record 4", "test-0, record 2"],
        ["train-0, record 2", "train-0, record 3"],
    ]


def test_class_names_come_from_the_examples_where_no_file_has_them(tmp_path):
    records = [good(n, n, class__text=[name]) for n, name in enumerate([b"cat", b"dog"])]
    sets.write(tmp_path, {"train-0-of-1": records}, class_names=["puss"], with_manifest=False)
    found = take(tmp_path)
    assert found.class_names == {0: "puss", 1: "dog"}


def test_proposals_depend_on_seed_and_places_alone(tmp_path):
    shards = {f"train-{n}": [good(100 * n + i, i % 2) for i in range(30)] for n in range(3)}
    sets.write(tmp_path, shards)
    first = take(tmp_path, seed=1).proposals
    assert take(tmp_path, seed=1, num_workers=3).proposals == first
    assert take(tmp_path, seed=2).proposals != first
    assert all(len(places) == len(set(places)) >= 8 for places in first.values())
