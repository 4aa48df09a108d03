"""Images that cannot be used in the archives of COCO."""

import os
import zipfile

import numpy as np
import pytest

from datasets.conversion import convert as conversion
from datasets.conversion import write
from datasets.conversion.settings import Conversion
from slim_internal.ground.errors import UserError
from tests.datasets import fake_data

OTHER = fake_data.picture(np.random.RandomState(1), 40, 20)


def convert(source: fake_data.Source, folder, **options) -> write.Outcome:
    return conversion.convert(
        Conversion(
            dataset_name="visualwakewords",
            dataset_dir=os.fspath(folder),
            source=os.fspath(source.folder),
            **{**source.options, **options},
        )
    )


@pytest.mark.parametrize("policy", ["error", "skip", "repair"])
@pytest.mark.parametrize(
    ("fault", "data", "repairable"),
    [
        ("cut off", lambda data: data[:-40], True),
        (
            "it is 20 x 40 pixels, its annotation says 40 x 20",
            lambda data: fake_data.encoded(OTHER),
            False,
        ),
    ],
    ids=["cut", "other size"],
)
def test_bad_images_of_an_archive_follow_the_policy(policy, fault, data, repairable, tmp_path):
    source = fake_data.make("visualwakewords", tmp_path / "source")
    path = source.folder / "val2014.zip"
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = sorted(members)[7]
    members[name] = data(members[name])
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    if policy == "error":
        with pytest.raises(UserError, match=f"{name}' cannot be used: .*{fault}"):
            convert(source, tmp_path / "set", on_bad_image=policy)
        return
    outcome = convert(source, tmp_path / "set", on_bad_image=policy)
    kept = policy == "repair" and repairable
    assert outcome.manifest.splits["val"] == 24 + kept
    report = (tmp_path / "set" / write.REPORT).read_text()
    assert name in report
    assert report.strip().endswith("repaired" if kept else "skipped")
