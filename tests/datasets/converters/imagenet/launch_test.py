"""What a conversion of ImageNet says about how closely it looks."""

import pytest

from datasets.converters.imagenet import launch
from datasets.converters.imagenet.settings import ArchiveSettings
from tests.datasets.converters.imagenet import fake_ilsvrc


@pytest.mark.parametrize(("verify", "said"), [("header", True), ("decode", False)])
def test_says_that_headers_are_believed_where_no_checksum_vouches(verify, said, tmp_path, caplog):
    source = fake_ilsvrc.challenge().write(tmp_path / "archives")
    settings = ArchiveSettings(
        output_directory=str(tmp_path / "set"),
        source=str(source),
        archive_checksums="off",
        train_shards=2,
        validation_shards=1,
        num_threads=1,
        verify_images=verify,
    )
    assert launch.from_archives(settings) == 340
    assert ("No checksum vouches for these images" in caplog.text) == said
