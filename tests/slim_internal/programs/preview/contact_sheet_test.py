"""The preview shows what training would see."""

import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from preprocessing.augmentations import OPERATIONS
from slim_internal.ground import cli, errors
from slim_internal.parts.input_pipeline.mixing import MIXINGS
from slim_internal.programs.preview import contact_sheet
from slim_internal.programs.preview.settings import Preview
from tests import golden_files
from tests.slim_internal.ground.images import mutations

IMAGE = str(golden_files.path("images/rgb_64x48.png"))


def settings(tmp_path, **changes):
    values = {"output_file": str(tmp_path / "sheet.png"), "image_size": 32, "draws": 3, **changes}
    return Preview(**values)


def test_one_row_per_image_and_operation(tmp_path, caplog):
    caplog.set_level("INFO")
    config = settings(tmp_path, augment="flip_left_right,random_erasing")
    said = contact_sheet.write(config, [IMAGE, IMAGE])
    assert said == f"Wrote 4 rows to {config.output_file}."
    with Image.open(config.output_file) as sheet:
        assert sheet.height > 4 * 192
    assert caplog.messages == ["Devices: CPU. Precision: float32."]


def test_the_same_seed_gives_the_same_sheet(tmp_path):
    sheets = []
    for seed in (1, 1, 2):
        config = settings(tmp_path, augment="rand_augment", seed=seed)
        contact_sheet.write(config, [IMAGE])
        sheets.append(Image.open(config.output_file).convert("RGB").crop((0, 84, 800, 300)))
    assert sheets[0].tobytes() == sheets[1].tobytes() != sheets[2].tobytes()


def test_what_mixes_two_images_is_shown_where_there_are_two(tmp_path):
    config = settings(tmp_path, draws=1)
    rows = [int(contact_sheet.write(config, [IMAGE] * each).split()[1]) for each in (1, 2)]
    assert rows == [len(OPERATIONS), 2 * len([*OPERATIONS, *MIXINGS])]


@pytest.mark.parametrize("name", ["mixup", "cutmix"])
def test_mixed_as_in_training(tmp_path, name):
    config = settings(tmp_path, augment=name, seed=3)
    black, white = np.zeros([8, 8, 3], np.float32), np.ones([8, 8, 3], np.float32)
    draws = contact_sheet._mixed(config, white, black, name)
    fractions = [fraction for _, fraction in draws]
    assert [image.mean() for image, _ in draws] == pytest.approx(fractions, abs=1e-6)
    assert len(set(fractions)) == 3
    assert contact_sheet.write(config, [IMAGE, IMAGE]).startswith("Wrote 2 rows")


@pytest.mark.parametrize(
    ("changes", "paths", "message"),
    [
        (
            {"augment": "mixup"},
            [IMAGE],
            "^--augment=mixup mixes two images: name another image file after the flags",
        ),
        ({"augment": "mix_up"}, [IMAGE], r"^Unknown augmentation 'mix_up'\. .*'mixup'"),
        ({"mixing_alpha": 0}, [IMAGE], "^--mixing_alpha must be above 0"),
        ({"augment": "flip_left"}, [IMAGE], r"^Unknown augmentation 'flip_left'\. Did you mean"),
        ({"draws": 0}, [IMAGE], "^--draws must be at least 1 and at most 20"),
        ({"draws": 21}, [IMAGE], "^--draws must be at least 1 and at most 20"),
        ({"image_size": 0}, [IMAGE], "^--image_size must be at least 1 and"),
        ({}, [], "^There is no image to show: name image files after the flags"),
        (
            {},
            ["missing.jpg"],
            r"^Cannot read the image missing\.jpg: it cannot be read: No such file",
        ),
        ({}, [__file__], "^Cannot read the image .*contact_sheet_test"),
        (
            {"augment": "hue", "output_file": "/nowhere/sheet.png"},
            [IMAGE],
            "^Cannot write to --output_file=/nowhere/sheet",
        ),
        (
            {"augment": "hue", "output_file": "sheet.xyz"},
            [IMAGE],
            r"^Cannot write to --output_file=sheet\.xyz",
        ),
        (
            {"augment": "hue", "output_file": "sheet.psd"},
            [IMAGE],
            r"^Cannot write to --output_file=sheet\.psd: its name has to end like",
        ),
        (
            {"augment": "hue", "output_file": "/dev/full/../full.png"},
            [IMAGE],
            r"^Cannot write to --output_file=/dev/full/../full\.png: Not a directory\.",
        ),
    ],
)
def test_mistakes(tmp_path, changes, paths, message):
    with pytest.raises(errors.UserError, match=message) as caught:
        contact_sheet.write(settings(tmp_path, **changes), paths)
    assert "\n" not in str(caught.value)


def test_a_photograph_is_shown_as_training_sees_it_and_a_pipe_is_not_waited_for(tmp_path):
    (tmp_path / "turned.jpg").write_bytes(mutations.with_orientation(6))
    os.mkfifo(tmp_path / "pipe.jpg")
    config = settings(tmp_path, augment="noise")
    assert contact_sheet.write(config, [str(tmp_path / "turned.jpg")])
    with pytest.raises(errors.UserError, match=r"pipe\.jpg: it is not a regular file"):
        contact_sheet.write(config, [str(tmp_path / "pipe.jpg")])
    with pytest.raises(errors.UserError, match="null character"):
        contact_sheet.write(config, ["a\0b.jpg"])


def test_program(tmp_path):
    script = pathlib.Path(cli.__file__).parents[3] / "preview_augmentations.py"
    result = subprocess.run(
        [sys.executable, script, "--augment=noise", "--draws=1", IMAGE],
        cwd=tmp_path,
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout == "Wrote 1 rows to augmentations.png.\n"
    assert (tmp_path / "augmentations.png").stat().st_size
