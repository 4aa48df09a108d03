import pytest

from third_party.python import describe_distributions


@pytest.mark.parametrize("name", ["tf_slim", "tf-slim", "TF.Slim", "tf--slim"])
def test_normal_name(name):
    assert describe_distributions.normal_name(name) == "tf_slim"


def _distribution(directory, name, needs, files):
    info = f"{name}-1.0.dist-info"
    for file in [*files, f"{info}/RECORD"]:
        path = directory / file.replace("../", "")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    metadata = ["Metadata-Version: 2.1", f"Name: {name}", "Version: 1.0"]
    metadata += [f"Requires-Dist: {need}" for need in needs]
    (directory / info / "METADATA").write_text("\n".join(metadata) + "\n")
    (directory / info / "RECORD").write_text(
        "".join(f"{file},,\n" for file in [*files, f"{info}/RECORD"])
    )


def test_describe(tmp_path):
    site = tmp_path / "site-packages"
    _distribution(
        site,
        "Big.One",
        [
            "little>=1",
            "Other_One; python_version >= '3'",
            "gone; python_version < '3'",
            "optional; extra == 'all'",
        ],
        ["big/__init__.py", "big/deep/er.py", "big.libs/a.so", "one.py", "../../bin/big"],
    )
    _distribution(site, "little", [], ["little.py", "__pycache__/little.cpython-311.pyc"])
    assert describe_distributions.describe(site) == [
        {
            "name": "big_one",
            "files": [
                "site-packages/Big.One-1.0.dist-info",
                "site-packages/big",
                "site-packages/big.libs",
                "site-packages/bin/big",
                "site-packages/one.py",
            ],
            "dependencies": ["little", "other_one"],
        },
        {
            "name": "little",
            "files": ["site-packages/little-1.0.dist-info", "site-packages/little.py"],
            "dependencies": [],
        },
    ]


def test_a_recorded_file_that_is_not_there_is_left_out(tmp_path):
    site = tmp_path / "site-packages"
    _distribution(site, "little", [], ["little.py"])
    (site / "little.py").unlink()
    assert describe_distributions.describe(site)[0]["files"] == [
        "site-packages/little-1.0.dist-info"
    ]
