"""The ground truth of the development kit, and kits that are not one."""

import gzip

import pytest

from datasets.converters.imagenet import devkit
from slim_internal.ground import errors
from tests.datasets.converters.imagenet import fake_ilsvrc

TRUTH = fake_ilsvrc.challenge().truth
FILES = fake_ilsvrc.devkit(TRUTH)
META = "ILSVRC2012_devkit_t12/data/meta.mat"
GROUND_TRUTH = "ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt"


def kit(tmp_path, files) -> str:
    path = tmp_path / fake_ilsvrc.DEVKIT
    path.write_bytes(fake_ilsvrc.tar(files, "gz"))
    return str(path)


def test_numbers_of_the_kit_become_wordnet_ids(tmp_path):
    assert devkit.validation_synsets(kit(tmp_path, FILES)) == TRUTH


def without(name: str) -> dict[str, bytes]:
    return {other: data for other, data in FILES.items() if other != name}


FAULTS = {
    "no meta.mat": (without(META), "holds no meta.mat"),
    "no ground truth": (without(GROUND_TRUTH), "holds no ILSVRC2012_validation_ground_tr"),
    "neither": ({"readme.txt": b"x"}, "holds no meta.mat and no ILSVRC2012_val"),
    "meta.mat is no MATLAB file": (FILES | {META: b"x" * 200}, "meta.mat in .* cannot be read"),
    "ground truth is no numbers": (
        FILES | {GROUND_TRUTH: b"1\ntwo\n"},
        "truth.txt in .* cannot be read",
    ),
    "an inner node as truth": (FILES | {GROUND_TRUTH: b"1\n21\n"}, r"does not know .* \[21\]"),
    "an unknown class": (FILES | {GROUND_TRUTH: b"1\n777\n"}, r"does not know .* \[777\]"),
}


@pytest.mark.parametrize(("files", "message"), FAULTS.values(), ids=FAULTS)
def test_faults_are_named(tmp_path, files, message):
    with pytest.raises(errors.UserError, match=message):
        devkit.validation_synsets(kit(tmp_path, files))


BROKEN = {
    "empty": b"",
    "no gzip": b"x" * 1000,
    **{
        f"cut off after {tenths} tenths": (data := fake_ilsvrc.tar(FILES, "gz"))[
            : len(data) * tenths // 10
        ]
        for tenths in range(1, 10)
    },
    "gzip of nothing": gzip.compress(b""),
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
def test_a_broken_archive_is_named(tmp_path, data):
    path = tmp_path / fake_ilsvrc.DEVKIT
    path.write_bytes(data)
    with pytest.raises(errors.UserError, match=fake_ilsvrc.DEVKIT):
        devkit.validation_synsets(path)
