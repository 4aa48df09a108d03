"""The whole way from archives to shards, and what the folder holds afterwards."""

import dataclasses
import hashlib
import os
import random

import pytest

from datasets import imagenet_classes
from datasets.conversion import write
from datasets.converters.imagenet import archives, convert, inventory, worker
from datasets.converters.imagenet.settings import Options
from datasets.storage import journal, manifest, tfrecords
from slim_internal.ground import errors
from slim_internal.ground.compat import tf
from tests.datasets.converters.imagenet import fake_ilsvrc
from tests.datasets.converters.imagenet.fake_ilsvrc import ODD_BOXES, SYNSETS, encode

LABELS = {entry.wordnet_id: entry.label for entry in imagenet_classes.classes()}


def listed(folder) -> inventory.Inventory:
    """Returns the inventory of the archives in a folder."""
    request = archives.Request(data_dir="unused", source=str(folder), checksums=False)
    return inventory.from_archives(archives.obtain(request), whole=False)


def build(found: inventory.Inventory, options: Options) -> write.Outcome:
    """Writes the images of an inventory."""
    return write.build(
        options.output_directory,
        convert.plan_inventory(found, options),
        num_workers=options.num_workers,
    )


def converted(source, output, **changes):
    """Converts the archives in a folder and returns the outcome."""
    options = Options(output_directory=str(output), train_shards=8, validation_shards=2)
    return build(listed(source), dataclasses.replace(options, **changes))


def examples(folder, split: str) -> dict[str, dict]:
    """Returns file name -> features of all records of a split."""
    found = {}
    for path in sorted(folder.glob(f"{split}-*")):
        for record in tfrecords.read_records(path):
            example = tf.train.Example.FromString(record).features.feature
            name = example["image/filename"].bytes_list.value[0].decode()
            assert name not in found
            found[name] = example
    return found


def digests(folder) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.iterdir()
        if path.is_file()
    }


@pytest.fixture(scope="module")
def challenge():
    return fake_ilsvrc.challenge()


@pytest.fixture(scope="module")
def source(challenge, tmp_path_factory):
    return challenge.write(tmp_path_factory.mktemp("archives"))


@pytest.fixture(scope="module")
def reference(source, tmp_path_factory):
    """The folder of a conversion that nothing disturbed."""
    folder = tmp_path_factory.mktemp("reference")
    converted(source, folder)
    return folder


def test_every_picture_is_in_a_record_with_its_labels(challenge, reference):
    train = examples(reference, "train")
    names = {entry.wordnet_id: entry.names for entry in imagenet_classes.classes()}
    assert len(train) == fake_ilsvrc.NUM_TRAIN
    for synset, files in challenge.train.items():
        for name, data in files.items():
            example = train[name]
            assert example["image/encoded"].bytes_list.value[0] == data
            assert example["image/class/label"].int64_list.value[0] == LABELS[synset]
            assert example["image/class/synset"].bytes_list.value[0] == synset.encode()
            assert example["image/class/text"].bytes_list.value[0] == names[synset].encode()
    validation = examples(reference, "validation")
    assert len(validation) == fake_ilsvrc.NUM_VALIDATION
    for (name, data), synset in zip(challenge.validation.items(), challenge.truth, strict=True):
        assert validation[name]["image/encoded"].bytes_list.value[0] == data
        assert validation[name]["image/class/label"].int64_list.value[0] == LABELS[synset]


def test_boxes_reach_the_records(reference):
    train = examples(reference, "train")
    boxed = [e for e in train.values() if e["image/object/bbox/xmin"].float_list.value]
    assert len(boxed) == 26
    for (synset, index), (_, kept) in ODD_BOXES.items():
        example = train[fake_ilsvrc.train_name(synset, index)]
        sides = [
            example[f"image/object/bbox/{side}"].float_list.value[0]
            for side in ("xmin", "ymin", "xmax", "ymax")
        ]
        assert sides == pytest.approx([float(side) for side in kept[0].split(",")])
        assert list(example["image/object/bbox/label"].int64_list.value) == [LABELS[synset]]


def test_the_folder_says_what_it_holds(reference):
    shards = [f"train-{i:05d}-of-00008" for i in range(8)]
    shards += [f"validation-{i:05d}-of-00002" for i in range(2)]
    others = ["imagenet_2012_bounding_boxes.csv", "labels.txt", "manifest.json"]
    assert sorted(path.name for path in reference.iterdir()) == sorted(shards + others)
    found = manifest.read(reference)
    assert found.dataset == "imagenet"
    assert found.splits == {"validation": 40, "train": 300}
    assert found.options == {
        "train_shards": 8,
        "validation_shards": 2,
        "seed": 12345,
        "on_bad_image": "error",
        "verify_images": "header",
    }
    assert list(manifest.verify(reference)) == []
    labels = (reference / "labels.txt").read_text().splitlines()
    assert labels[:2] == ["0:background", "1:tench, Tinca tinca"]
    assert len(labels) == 1001
    assert (reference / "imagenet_2012_bounding_boxes.csv").read_text().count("\n") == 26


def test_pictures_are_shuffled_into_shards_of_equal_size(reference):
    sizes = {s.name: s.records for s in manifest.read(reference).shards if s.split == "train"}
    assert set(sizes.values()) == {37, 38}
    first = examples_in_order(reference / "train-00000-of-00008")
    assert first != sorted(first)
    assert len({name.split("_")[0] for name in first}) > 10  # Of 20 synsets.


def examples_in_order(path) -> list[str]:
    found = []
    for record in tfrecords.read_records(path):
        example = tf.train.Example.FromString(record).features.feature
        found.append(example["image/filename"].bytes_list.value[0].decode())
    return found


@pytest.mark.parametrize("workers", [1, 2, 7])
def test_bytes_do_not_depend_on_workers_or_order(challenge, reference, tmp_path, workers):
    shuffled = challenge.write(tmp_path / "shuffled", shuffle=workers)
    converted(shuffled, tmp_path / "output", num_workers=workers)
    shards = digests(tmp_path / "output")
    expected = digests(reference)
    for found in (shards, expected):
        del found["manifest.json"]  # It says where each picture lay, in a digest.
    assert shards == expected


def test_another_seed_gives_another_order_of_the_same(source, reference, tmp_path):
    converted(source, tmp_path, seed=1)
    assert digests(tmp_path) != digests(reference)
    assert examples(tmp_path, "train").keys() == examples(reference, "train").keys()


def test_a_complete_set_is_left_alone(source, reference):
    before = {path.name: path.stat().st_mtime_ns for path in reference.glob("[tv]*-of-*")}
    outcome = converted(source, reference)
    assert outcome.written == ()
    assert before == {path.name: path.stat().st_mtime_ns for path in reference.glob("[tv]*-of-*")}


def test_other_options_do_not_replace_a_complete_set(source, reference):
    before = digests(reference)
    with pytest.raises(errors.UserError, match="other options"):
        converted(source, reference, seed=1)
    assert digests(reference) == before


# What is put in place of a picture -> the reason that the message gives.
PICTURE = fake_ilsvrc.picture(3)
JPEG = encode(PICTURE, quality=95)
BAD_PICTURES = {
    "0 bytes": (b"", "it is empty", "skipped"),
    "cut at 10 %": (JPEG[: len(JPEG) // 10], "cut off", "skipped"),
    "cut at 50 %": (JPEG[: len(JPEG) // 2], "cut off", "skipped"),
    "cut at 99 %": (JPEG[: len(JPEG) * 99 // 100], "end marker", "repaired"),
    "GIF": (encode(PICTURE, "GIF"), "it is GIF", "repaired"),
    "65,500 x 65,500": (fake_ilsvrc.huge_header(), "65500 x 65500", "skipped"),
    "text": (b"<html></html>", "not a JPEG or PNG", "skipped"),
}
NAME = fake_ilsvrc.train_name(SYNSETS[7], 4)


@pytest.fixture
def with_picture(challenge, tmp_path):
    """Returns a function that writes the archives with another picture in the place of `NAME`."""

    def write(data: bytes):
        changed = dataclasses.replace(challenge, train=dict(challenge.train))
        changed.train[SYNSETS[7]] = challenge.train[SYNSETS[7]] | {NAME: data}
        return changed.write(tmp_path / "archives")

    return write


@pytest.mark.parametrize(("data", "reason", "_"), BAD_PICTURES.values(), ids=BAD_PICTURES)
def test_a_bad_picture_ends_the_run_by_its_name(with_picture, tmp_path, data, reason, _):
    with pytest.raises(errors.UserError, match=rf"img_train.tar: {NAME}: .*{reason}.*=skip"):
        converted(with_picture(data), tmp_path / "output")
    assert not (tmp_path / "output/manifest.json").exists()
    assert list((tmp_path / "output").glob("*.partial")) == []


@pytest.mark.parametrize(("data", "reason", "_"), BAD_PICTURES.values(), ids=BAD_PICTURES)
def test_skip_leaves_it_out_and_reports_it(with_picture, tmp_path, data, reason, _):
    outcome = converted(with_picture(data), tmp_path / "output", on_bad_image="skip")
    assert outcome.manifest.splits == {"validation": 40, "train": 299}
    assert NAME not in examples(tmp_path / "output", "train")
    assert reported(tmp_path / "output") == [(NAME, True, "skipped")]
    assert reason in (tmp_path / "output/bad_images.csv").read_text()


@pytest.mark.parametrize(("data", "_", "action"), BAD_PICTURES.values(), ids=BAD_PICTURES)
def test_repair_keeps_what_it_can_and_reports_it(with_picture, tmp_path, data, _, action):
    outcome = converted(with_picture(data), tmp_path / "output", on_bad_image="repair")
    assert outcome.manifest.splits["train"] == (300 if action == "repaired" else 299)
    assert reported(tmp_path / "output") == [(NAME, True, action)]
    found = examples(tmp_path / "output", "train")
    assert (NAME in found) == (action == "repaired")
    if NAME in found:
        encoded = found[NAME]["image/encoded"].bytes_list.value[0]
        assert encoded.startswith(b"\xff\xd8")
        assert encoded.endswith(b"\xff\xd9")
        assert found[NAME]["image/height"].int64_list.value[0] == 24


def reported(folder) -> list[tuple[str, bool, str]]:
    """Returns (picture, whether its archive is named, action) of each line of the report."""
    header, *lines = (folder / "bad_images.csv").read_text().splitlines()
    assert header == "file,fault,action"
    found = []
    for line in lines:
        place, _, rest = line.partition(",")
        found.append((place.split(": ")[1], fake_ilsvrc.TRAIN in place, rest.rpartition(",")[2]))
    return found


def ycck() -> bytes:
    """A JPEG of four components whose marker calls them YCCK, as Photoshop writes it."""
    data = bytearray(encode(PICTURE.convert("CMYK")))
    data[data.index(b"Adobe") + 11] = 2
    return bytes(data)


def turned() -> bytes:
    exif = PICTURE.getexif()
    exif[0x0112] = 6  # To be turned by a quarter before it is shown.
    return encode(PICTURE, exif=exif)


ORDINARY = {
    "greyscale": encode(PICTURE.convert("L")),
    "progressive": encode(PICTURE, progressive=True),
    "EXIF turned": turned(),
    "trailing garbage": JPEG + b"garbage" * 100,
}


@pytest.mark.parametrize("policy", ["error", "skip", "repair"])
@pytest.mark.parametrize("data", ORDINARY.values(), ids=ORDINARY)
def test_jpegs_pass_byte_for_byte(with_picture, tmp_path, data, policy):
    converted(with_picture(data), tmp_path / "output", on_bad_image=policy)
    example = examples(tmp_path / "output", "train")[NAME]
    assert example["image/encoded"].bytes_list.value[0] == data
    assert example["image/height"].int64_list.value[0] == 24
    assert not (tmp_path / "output/bad_images.csv").exists()


DIFFICULT_NAMES = {
    "not ASCII": "größe.JPEG",
    "line break": "n01440764_\n1.JPEG",
    "no UTF-8": os.fsdecode(b"\xff\xfe.JPEG"),
}


@pytest.mark.parametrize("data", [JPEG, b""], ids=["good", "bad"])
@pytest.mark.parametrize("policy", ["error", "skip", "repair"])
@pytest.mark.parametrize("name", DIFFICULT_NAMES.values(), ids=DIFFICULT_NAMES)
def test_difficult_names(challenge, tmp_path, name, policy, data):
    changed = dataclasses.replace(challenge, train={SYNSETS[0]: {name: data, "b.JPEG": JPEG}})
    source = changed.write(tmp_path / "archives")
    if not data and policy == "error":
        with pytest.raises(errors.UserError, match="it is empty") as caught:
            converted(source, tmp_path / "output", on_bad_image=policy)
        assert "\n" not in str(caught.value)
        return
    converted(source, tmp_path / "output", on_bad_image=policy)
    stored = {
        os.fsencode(name)
        for path in (tmp_path / "output").glob("train-*")
        for record in tfrecords.read_records(path)
        for name in tf.train.Example.FromString(record)
        .features.feature["image/filename"]
        .bytes_list.value
    }
    assert stored == {b"b.JPEG"} | ({os.fsencode(name)} if data else set())
    if not data:
        report = (tmp_path / "output/bad_images.csv").read_bytes()
        assert os.fsencode(name) in report


UNUSUAL = {
    "PNG": encode(PICTURE, "PNG"),
    "16-bit PNG": encode(PICTURE.convert("I;16"), "PNG"),
    "CMYK": encode(PICTURE.convert("CMYK")),
    "YCCK": ycck(),
}


@pytest.mark.parametrize("policy", ["error", "skip", "repair"])
@pytest.mark.parametrize("data", UNUSUAL.values(), ids=UNUSUAL)
def test_pictures_of_other_kinds_are_rewritten_whatever_their_name(
    with_picture, tmp_path, data, policy
):
    converted(with_picture(data), tmp_path / "output", on_bad_image=policy)
    example = examples(tmp_path / "output", "train")[NAME]
    encoded = example["image/encoded"].bytes_list.value[0]
    assert encoded.startswith(b"\xff\xd8")
    assert encoded != data
    assert example["image/height"].int64_list.value[0] == 24
    assert example["image/width"].int64_list.value[0] == 32
    assert not (tmp_path / "output/bad_images.csv").exists()


def test_more_bad_pictures_than_allowed_end_the_run(challenge, tmp_path):
    changed = dataclasses.replace(challenge, validation=dict(challenge.validation))
    for name in random.Random(0).sample(list(challenge.validation), 5):
        changed.validation[name] = b""
    source = changed.write(tmp_path / "archives")
    with pytest.raises(errors.UserError, match=r"More than 4 images are unusable"):
        converted(source, tmp_path / "output", on_bad_image="skip", max_bad_images=4)
    assert not (tmp_path / "output/manifest.json").exists()
    converted(source, tmp_path / "output", on_bad_image="skip", max_bad_images=5)


def test_one_bad_picture_in_a_thousand_is_left_out(tmp_path):
    changed = fake_ilsvrc.challenge()
    names = [f"{SYNSETS[0]}_{number}.JPEG" for number in range(1000)]
    changed.train = {SYNSETS[0]: dict.fromkeys(names, fake_ilsvrc.jpeg(1)) | {names[500]: b"?"}}
    source = changed.write(tmp_path / "archives")
    outcome = converted(source, tmp_path / "output", on_bad_image="skip")
    assert outcome.manifest.splits["train"] == 999
    assert [name for name, _, _ in reported(tmp_path / "output")] == [names[500]]


def test_decoding_each_picture_is_a_closer_look(with_picture, tmp_path):
    table = JPEG.index(b"\xff\xdb")
    damaged = JPEG[:table] + JPEG[table + 2 + int.from_bytes(JPEG[table + 2 : table + 4]) :]
    source = with_picture(damaged)
    converted(source, tmp_path / "by header")
    with pytest.raises(errors.UserError, match=f"{NAME}: it cannot be decoded"):
        converted(source, tmp_path / "by decoding", verify_images="decode")


def test_an_error_of_any_kind_names_its_picture(source, tmp_path, monkeypatch):
    def fail(source_of_it, picture):
        if source_of_it.filename == NAME:
            raise MemoryError("no memory")
        return b"record"

    monkeypatch.setattr(worker.example, "serialize", fail)
    with pytest.raises(RuntimeError, match=f"{NAME}: MemoryError: no memory"):
        converted(source, tmp_path)
    assert not (tmp_path / "manifest.json").exists()


def with_missing_picture(found: inventory.Inventory) -> inventory.Inventory:
    """Returns the inventory with a picture that is not there any more."""
    gone = found.splits["train"][7]._replace(path="/nowhere/gone.JPEG", offset=None)
    train = [*found.splits["train"][:7], gone, *found.splits["train"][8:]]
    return dataclasses.replace(found, splits={**found.splits, "train": train})


def test_a_picture_that_is_gone_ends_the_run_with_its_name(source, tmp_path):
    found = with_missing_picture(listed(source))
    with pytest.raises(errors.UserError, match=r"gone\.JPEG cannot be read: No such file"):
        build(found, Options(output_directory=str(tmp_path / "set"), train_shards=8))
    assert not (tmp_path / "set/manifest.json").exists()


def test_a_full_disk_is_noticed_before_anything_is_written(source, tmp_path, monkeypatch):
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    with pytest.raises(errors.UserError, match=r"for the dataset: .* needed, .* free"):
        converted(source, tmp_path)
    assert list(tmp_path.glob("[tv]*-of-*")) == []


OTHER_DATA = {
    "pictures": "holiday.jpg",
    "shards without a manifest": "train-00000-of-01024",
    "flowers": "flowers_train_00000-of-00005.tfrecord",
}


@pytest.mark.parametrize("name", OTHER_DATA.values(), ids=OTHER_DATA)
def test_a_folder_with_other_data_is_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"dear to someone")
    with pytest.raises(errors.UserError, match=rf"holds other data \({name}\)"):
        convert.check_folder(Options(output_directory=str(tmp_path)))
    assert (tmp_path / name).read_bytes() == b"dear to someone"


@pytest.mark.parametrize("complete", [True, False])
def test_a_folder_with_another_set_is_refused(tmp_path, complete):
    if complete:
        shard = manifest.Shard(
            name="flowers_train", split="train", records=1, bytes=40, checksum="crc32c:00000000"
        )
        found = manifest.Manifest(dataset="flowers", class_names=("a",), shards=(shard,))
        manifest.write(tmp_path, found)
    else:
        journal.begin(tmp_path, "flowers", ["a"], [])
    with pytest.raises(errors.UserError, match="holds another dataset, flowers"):
        convert.check_folder(Options(output_directory=str(tmp_path)))


def test_other_options_are_refused_before_anything_is_downloaded(reference):
    with pytest.raises(errors.UserError, match=r"--train_shards=8 .*, not --train_shards=9 "):
        convert.check_folder(
            Options(output_directory=str(reference), train_shards=9, validation_shards=2)
        )


def test_a_part_is_not_taken_for_the_whole_nor_are_archives_fetched_to_replace_it(reference):
    wanted = Options(output_directory=str(reference), train_shards=8, validation_shards=2)
    assert convert.finished(wanted, whole=False)
    with pytest.raises(errors.UserError, match=r"holds a part of ImageNet.*archive_checksums=off"):
        convert.finished(wanted)


def test_boxes_in_the_folder_are_replaced_neither_by_others_nor_by_none(
    source, reference, tmp_path
):
    (tmp_path / convert.BOUNDING_BOXES).write_text("n01440764_1.JPEG,0,0,1,1\n")
    with pytest.raises(errors.UserError, match="holds other boxes than the archive"):
        converted(source, tmp_path)
    assert (tmp_path / convert.BOUNDING_BOXES).read_text() == "n01440764_1.JPEG,0,0,1,1\n"

    before = digests(reference)
    request = archives.Request(data_dir="", source=str(source), checksums=False, boxes=False)
    without = inventory.from_archives(archives.obtain(request), whole=False)
    options = Options(output_directory=str(reference), train_shards=8, validation_shards=2)
    with pytest.raises(errors.UserError, match="made from other files"):
        build(without, options)
    assert digests(reference) == before


def test_an_unfinished_run_into_other_shards_leaves_no_shard_behind(source, reference, tmp_path):
    with pytest.raises(errors.UserError, match="cannot be read"):
        build(
            with_missing_picture(listed(source)),
            Options(output_directory=str(tmp_path), train_shards=30, validation_shards=2),
        )
    assert list(tmp_path.glob("train-*-of-00030"))
    converted(source, tmp_path)
    assert digests(tmp_path) == digests(reference)


@pytest.mark.parametrize("position", [25, -3], ids=["start", "end"])
def test_other_images_of_the_same_names_and_sizes_are_other_inputs(challenge, tmp_path, position):
    options = Options(output_directory=str(tmp_path / "set"), train_shards=8, validation_shards=2)
    long = {synset: dict(files) for synset, files in challenge.train.items()}
    changed = {}
    for synset, files in long.items():
        for name, data in files.items():
            files[name] = data[:-2] + bytes(9000) + data[-2:]
        changed[synset] = {name: flipped(data, position) for name, data in files.items()}
    source = dataclasses.replace(challenge, train=long).write(tmp_path / "before")
    replaced = dataclasses.replace(challenge, train=changed).write(tmp_path / "archives")
    assert [path.stat().st_size for path in sorted(replaced.iterdir())][-2:] == [
        path.stat().st_size for path in sorted(source.iterdir())
    ][-2:]
    before, after = (convert.plan_inventory(listed(each), options) for each in (source, replaced))
    for one, other in zip(before.shards, after.shards, strict=True):
        assert (one.inputs == other.inputs) == (one.split == "validation")


def flipped(data: bytes, position: int) -> bytes:
    changed = bytearray(data)
    changed[position] ^= 1
    return bytes(changed)


def test_archives_and_inputs_may_lie_in_the_folder(source, tmp_path):
    challenge = fake_ilsvrc.challenge()
    challenge.write(tmp_path / "raw-data")
    challenge.write(tmp_path)
    (tmp_path / "synsets.txt").write_text("n01440764\n")
    options = Options(output_directory=str(tmp_path))
    convert.check_folder(options, may_hold=[str(tmp_path / "synsets.txt")])
    convert.check_folder(Options(output_directory=str(tmp_path / "does not exist")))


def test_a_subset_does_not_pass_for_the_whole(source, caplog):
    request = archives.Request(data_dir="unused", source=str(source), checksums=False)
    with pytest.raises(errors.UserError, match="40 of validation, 300 of train images of 20 cl"):
        inventory.from_archives(archives.obtain(request))
    assert "holds 26 bounding boxes instead of 615299" in caplog.text
