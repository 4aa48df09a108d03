import pytest

from slim_internal.ground import errors


@pytest.mark.parametrize(
    ("received", "allowed", "match"),
    [
        ("vgg16", ["vgg_16", "vgg_19", "lenet"], "vgg_16"),
        ("LENET", ["vgg_16", "lenet"], "lenet"),
        ("lenet", ["LeNet"], "LeNet"),
        ("something", ["vgg_16", "lenet"], None),
        ("lenet", [], None),
        (17, [16, 170], 16),
        (64, [4, 8, 16, 32], 32),
        (0.3, [0.35, 1.4], 0.35),
        (17, [], None),
    ],
)
def test_nearest(received, allowed, match):
    assert errors.nearest(received, allowed) == match


def test_unknown_names_value_choices_and_remedy():
    error = errors.unknown("network", "lenett", iter(["cifarnet", "lenet"]), "See the README.")
    assert isinstance(error, errors.UserError)
    assert str(error) == (
        "Unknown network 'lenett'. Did you mean 'lenet'? Allowed: cifarnet, lenet. See the README."
    )


def test_unknown_without_a_match_suggests_nothing():
    error = errors.unknown("split", "holdout", ["train", "test"])
    assert str(error) == "Unknown split 'holdout'. Allowed: train, test."


def test_unknown_of_an_empty_list():
    assert str(errors.unknown("flag", "x", [])) == "Unknown flag 'x'. Allowed: none."


@pytest.mark.parametrize(
    "error", [MemoryError(), ValueError("Error parsing message with type 'x': Arena alloc failed")]
)
def test_what_is_read_is_not_blamed_for_a_lack_of_memory(error):
    with pytest.raises(MemoryError):
        errors.raise_if_out_of_memory(error)
    errors.raise_if_out_of_memory(ValueError("Wire format was corrupt"))


def test_user_error_is_a_value_error():
    with pytest.raises(ValueError, match="bad"):
        raise errors.UserError("bad")


def test_a_folder_that_cannot_be_written_to(tmp_path):
    (tmp_path / "file").write_text("")
    folder = str(tmp_path / "file")
    with pytest.raises(errors.UserError) as caught:
        errors.require_writable_folder("train_dir", folder)
    assert str(caught.value) == (
        f"Cannot write to --train_dir={folder}: File exists. Choose another folder."
    )
