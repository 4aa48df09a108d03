"""What a conversion of ImageNet says and does where no checksum vouches for its images."""

import os

import pytest

from datasets.converters.imagenet import launch
from datasets.converters.imagenet.settings import ArchiveSettings, FolderSettings
from datasets.storage import manifest
from slim_internal.ground.errors import UserError
from tests.datasets.converters.imagenet import fake_ilsvrc

SMALL = {"train_shards": 2, "validation_shards": 1, "num_threads": 1}


def from_archives(source, output, **changes) -> int:
    settings = {"source": str(source), "archive_checksums": "off", **SMALL, **changes}
    return launch.from_archives(ArchiveSettings(output_directory=str(output), **settings))


def from_folders(folder, output, **changes) -> int:
    (folder / "synsets.txt").write_text("\n".join(fake_ilsvrc.SYNSETS))
    (folder / "names.txt").write_text("".join(f"{s}\tname\n" for s in fake_ilsvrc.SYNSETS))
    settings = FolderSettings(
        output_directory=str(output),
        train_directory=f"{folder}/train",
        validation_directory=f"{folder}/validation",
        labels_file=f"{folder}/synsets.txt",
        imagenet_metadata_file=f"{folder}/names.txt",
        bounding_box_file="",
        **SMALL,
        **changes,
    )
    return launch.from_folders(settings)


@pytest.mark.parametrize(("verify", "said"), [("header", True), ("decode", False)])
def test_says_that_headers_are_believed_where_no_checksum_vouches(verify, said, tmp_path, caplog):
    source = fake_ilsvrc.challenge().write(tmp_path / "archives")
    assert from_archives(source, tmp_path / "set", verify_images=verify) == 340
    assert ("No checksum vouches for these images" in caplog.text) == said


@pytest.mark.parametrize("convert", [from_archives, from_folders])
def test_another_image_is_noticed_by_any_byte_of_it(convert, tmp_path):
    """Of the same name and size, with the same first and last kilobytes."""
    picture = fake_ilsvrc.encode(fake_ilsvrc.picture(1, 150, 200), quality=95)
    assert len(picture) > 4000
    middle = len(picture) // 2
    other = picture[:middle] + bytes([picture[middle] ^ 1]) + picture[middle + 1 :]
    inputs = []
    for number, data in enumerate((picture, other)):
        challenge = fake_ilsvrc.challenge()
        challenge.train[fake_ilsvrc.SYNSETS[3]][
            fake_ilsvrc.train_name(fake_ilsvrc.SYNSETS[3], 7)
        ] = data
        write = challenge.write if convert is from_archives else challenge.write_folders
        convert(write(tmp_path / f"source{number}"), tmp_path / f"set{number}")
        shards = manifest.read(tmp_path / f"set{number}").shards
        inputs.append({shard.name: shard.inputs for shard in shards})
    changed = [name for name in inputs[0] if inputs[0][name] != inputs[1][name]]
    assert len(changed) == 1
    assert changed[0].startswith("train-")


def test_what_is_no_file_is_a_bad_image_and_nothing_stays_open(tmp_path):
    folder = fake_ilsvrc.challenge().write_folders(tmp_path / "folders")
    train = folder / "train" / fake_ilsvrc.SYNSETS[0]
    os.mkfifo(train / "n_1.JPEG")
    (train / "n_3.JPEG").mkdir()
    before = len(os.listdir("/proc/self/fd"))
    assert from_folders(folder, tmp_path / "set", on_bad_image="skip") == 340
    assert len(os.listdir("/proc/self/fd")) <= before + 4
    report = (tmp_path / "set/bad_images.csv").read_text()
    assert "n_1.JPEG,it is not a regular file but a device or pipe,skipped" in report
    assert "n_3.JPEG,it is a folder,skipped" in report
    os.symlink("/nowhere", train / "n_2.JPEG")
    with pytest.raises(UserError, match=r"n_2\.JPEG cannot be read: No such file"):
        from_folders(folder, tmp_path / "other", on_bad_image="skip")
