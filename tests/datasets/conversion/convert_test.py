"""Every dataset: converted from fake archives, read back, converted again.

One body for all records, in the manner of a base class: counts, reload, no overlap of splits,
determinism, unique keys.
"""

import dataclasses
import hashlib
import io
import json
import os
import pathlib
import subprocess
import sys
import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image

from datasets import dataset_factory
from datasets.conversion import convert as conversion
from datasets.conversion import write
from datasets.conversion.settings import Conversion
from datasets.storage import journal, manifest, tfrecords
from slim_internal.ground.compat import slim, tf
from slim_internal.ground.errors import UserError
from tests import golden_files
from tests.datasets import fake_data
from tests.slim_internal.ground.downloads import fault_server

NAMES = sorted(fake_data.GENERATORS)
GOLDEN = golden_files.load("datasets.json")
ORIGINAL_NAMES = [name for name in NAMES if name in GOLDEN["factory_map"]]


@dataclasses.dataclass(frozen=True)
class Converted:
    """A converted fake set."""

    name: str
    source: fake_data.Source
    folder: pathlib.Path
    outcome: object

    def examples(self, split: str) -> list[tf.train.Example]:
        shards = [shard for shard in self.outcome.manifest.shards if shard.split == split]
        return [
            tf.train.Example.FromString(record)
            for shard in shards
            for record in tfrecords.read_records(self.folder / shard.name)
        ]

    def all_examples(self) -> list[tf.train.Example]:
        return [e for split in self.outcome.manifest.splits for e in self.examples(split)]


def convert(name: str, source: fake_data.Source, folder: pathlib.Path, **options):
    given = {"source": os.fspath(source.folder)} | dict(source.options) | options
    record = dataset_factory.records[name]
    if not record.sources and "source" not in record.options:
        del given["source"]
    return conversion.convert(Conversion(dataset_name=name, dataset_dir=os.fspath(folder), **given))


@pytest.fixture(scope="module", params=NAMES)
def converted(request, tmp_path_factory) -> Converted:
    folder = tmp_path_factory.mktemp(request.param)
    source = fake_data.make(request.param, folder / "source")
    target = folder / "set"
    return Converted(request.param, source, target, convert(request.param, source, target))


def digests(folder: pathlib.Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def label(example: tf.train.Example) -> int:
    return example.features.feature["image/class/label"].int64_list.value[0]


def contents(example: tf.train.Example, kept: bool) -> bytes:
    """Returns the picture of an example: its bytes as they are, or the pixels they stand for."""
    data = example.features.feature["image/encoded"].bytes_list.value[0]
    return data if kept else np.asarray(Image.open(io.BytesIO(data))).tobytes()


def test_writes_every_example_once_with_its_label(converted):
    for splits, labels in converted.source.splits.items():
        found = [label(e) for split in splits.split("+") for e in converted.examples(split)]
        assert sorted(found) == sorted(labels)


def test_writes_the_pictures_of_the_source_with_their_labels(converted):
    for splits, pictures in converted.source.pictures.items():
        examples = [e for split in splits.split("+") for e in converted.examples(split)]
        wanted = [
            (found, picture if isinstance(picture, bytes) else picture.tobytes())
            for found, picture in zip(converted.source.splits[splits], pictures, strict=True)
        ]
        kept = isinstance(pictures[0], bytes)
        assert sorted((label(e), contents(e, kept)) for e in examples) == sorted(wanted)


def test_manifest_counts_what_is_there(converted):
    for split, size in converted.outcome.manifest.splits.items():
        assert size == len(converted.examples(split)) > 0


def test_splits_do_not_overlap_and_pictures_are_unique(converted):
    encoded = [
        e.features.feature["image/encoded"].bytes_list.value[0] for e in converted.all_examples()
    ]
    assert len(set(encoded)) == len(encoded)


def test_only_shards_labels_and_manifest_remain(converted):
    shards = {shard.name for shard in converted.outcome.manifest.shards}
    kept = {"coco_dataset"} if converted.name == "visualwakewords" else set()
    found = {path.name for path in converted.folder.iterdir()}
    # With a local source nothing is downloaded, so that no folder is made for archives either.
    assert found - kept == shards | {"labels.txt", "manifest.json"}


def test_provider_reads_what_was_written(converted):
    """The snippet of the original, as it stands: get_split, provider, get."""
    split = next(iter(converted.outcome.manifest.splits))
    with tf.Graph().as_default(), tf.Session() as session:
        dataset = dataset_factory.get_dataset(converted.name, split, os.fspath(converted.folder))
        provider = slim.dataset_data_provider.DatasetDataProvider(dataset, shuffle=False)
        image, found = provider.get(["image", "label"])
        count = min(dataset.num_samples, 40)
        with slim.queues.QueueRunners(session):
            read = [session.run([image, found]) for _ in range(count)]
    expected = converted.examples(split)
    shards = [s for s in converted.outcome.manifest.shards if s.split == split]
    if len(shards) == 1:  # The provider mixes several files.
        assert [int(found) for _, found in read] == [label(e) for e in expected[:count]]
    sizes = {
        tuple(
            e.features.feature[f"image/{side}"].int64_list.value[0] for side in ("height", "width")
        )
        for e in expected
    }
    assert {image.shape[:2] for image, _ in read} <= sizes


def test_the_snippet_of_2017_runs_as_it_stands(tmp_path):
    """Old code imports slim from contrib, where tf_slim now is."""
    convert("digits", fake_data.make("digits", tmp_path / "source"), tmp_path / "set")
    snippet = f"""
from datasets import digits
import tensorflow.compat.v1 as tf
slim = tf.contrib.slim

dataset = digits.get_split('validation', {os.fspath(tmp_path / "set")!r})
provider = slim.dataset_data_provider.DatasetDataProvider(dataset)
[image, label] = provider.get(['image', 'label'])
with tf.Session() as session, slim.queues.QueueRunners(session):
    print(session.run(image).shape)
"""
    assert run_python(snippet).strip() == "(8, 8, 1)"


def test_nothing_is_fetched_by_imports_and_descriptors():
    """Neither loading every module nor describing every split opens a socket."""
    assert (
        run_python(
            """
import socket
def refuse(*arguments, **options):
    raise AssertionError("a socket was opened")
from slim_internal.ground.compat import tf
socket.socket = socket.create_connection = refuse
import datasets, importlib, pkgutil
for module in pkgutil.walk_packages(datasets.__path__, "datasets."):
    importlib.import_module(module.name)
from datasets import dataset_factory
for name, record in dataset_factory.records.items():
    for split in record.splits:
        dataset_factory.get_dataset(name, split, "absent")
print(len(dataset_factory.records))
"""
        )
        == f"{len(dataset_factory.records)}\n"
    )


def test_workers_need_no_tensorflow():
    """Every process that writes shards would otherwise take seconds and 400 MB more."""
    assert (
        run_python(
            """
import importlib, pkgutil, sys
from datasets import converters
from datasets.conversion import write
for module in pkgutil.iter_modules(converters.__path__, "datasets.converters."):
    importlib.import_module(module.name)
print("tensorflow" in sys.modules)
"""
        )
        == "False\n"
    )


def run_python(program: str) -> str:
    """Runs a program in a fresh Python that can import slim/, and returns what it prints."""
    slim_folder = pathlib.Path(__file__).parents[3] / "slim"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(slim_folder), *sys.path])}
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.parametrize("name", ["mnist", "flowers", "visualwakewords"])
def test_set_of_the_original_is_left_as_it_is(name, tmp_path):
    record = dataset_factory.records[name]
    for split in record.splits:
        (tmp_path / (record.file_pattern % split).replace("*", "00000")).write_bytes(b"")
    before = digests(tmp_path)
    outcome = conversion.convert(Conversion(dataset_name=name, dataset_dir=os.fspath(tmp_path)))
    assert "files that the original library wrote" in outcome.summary(tmp_path)
    assert digests(tmp_path) == before


def test_other_options_for_a_complete_set_are_refused(tmp_path):
    source = fake_data.make("flowers", tmp_path / "source")
    convert("flowers", source, tmp_path / "set", num_shards=2)
    before = digests(tmp_path / "set")
    with pytest.raises(UserError, match=r"--num_shards=2.* not .*--num_shards=None"):
        convert("flowers", source, tmp_path / "set")
    with pytest.raises(UserError, match="holds another dataset, flowers"):
        convert("mnist", fake_data.make("mnist", tmp_path / "other"), tmp_path / "set")
    assert digests(tmp_path / "set") == before


@pytest.mark.parametrize(
    ("name", "file", "message"),
    [
        ("mnist", "t10k-images-idx3-ubyte.gz", "is not an idx file of MNIST"),
        ("cifar10", "cifar-10-binary.tar.gz", "is damaged"),
        ("flowers", "flower_photos.tgz", "cannot be unpacked"),
        ("visualwakewords", "val2014.zip", "is damaged or another archive"),
    ],
)
def test_damaged_archive_is_named(name, file, message, tmp_path):
    source = fake_data.make(name, tmp_path / "source")
    data = (source.folder / file).read_bytes()
    (source.folder / file).write_bytes(data[: len(data) // 2])
    with pytest.raises(UserError, match=f"{file} {message}"):
        convert(name, source, tmp_path / "set")
    assert not (tmp_path / "set/manifest.json").exists()


ANNOTATIONS = {
    "of a picture that is not listed": (
        lambda coco: coco["images"].pop(0),
        "not hold annotations as COCO publishes them .KeyError: 1",
    ),
    "of a picture without width": (
        lambda coco: coco["images"][0].update(width=0),
        "not hold annotations as COCO publishes them .ZeroDivisionError",
    ),
    "with a text as width": (
        lambda coco: coco["images"][0].update(width="40"),
        "as COCO publishes them .TypeError|as COCO publishes them .ValueError: an image of",
    ),
    "with a number as name": (
        lambda coco: coco["images"][0].update(file_name=7),
        "not hold annotations as COCO publishes them .ValueError: an image of",
    ),
    "with half a box": (
        lambda coco: coco["annotations"][0].update(bbox=[1, 2]),
        "not hold annotations as COCO publishes them .ValueError: an object of",
    ),
    "with a list of texts": (
        lambda coco: coco.update(images=["a"]),
        "not hold annotations as COCO publishes them .TypeError",
    ),
    "something else": (lambda coco: coco.pop("categories"), "KeyError: 'categories'"),
}


@pytest.mark.parametrize(("change", "message"), ANNOTATIONS.values(), ids=ANNOTATIONS)
def test_annotations_that_cannot_be_used(change, message, tmp_path):
    source = fake_data.make("visualwakewords", tmp_path / "source")
    path = source.folder / "annotations_trainval2014.zip"
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            coco = json.loads(data)
            change(coco)
            archive.writestr(name, json.dumps(coco))
    with pytest.raises(UserError, match=message):
        convert("visualwakewords", source, tmp_path / "set")
    assert not (tmp_path / "set/manifest.json").exists()


VISUAL_WAKE_WORDS = {
    "coco_train_url": ("http://127.0.0.1/pictures/", "--coco_train_url must be the URL of a zip"),
    "small_object_area_threshold": (float("nan"), "must be at least 0 and at most 1; got nan"),
    "coco_dirname": ("", "--coco_dirname must name a folder. Received: ''"),
}


@pytest.mark.parametrize("flag", VISUAL_WAKE_WORDS)
def test_options_of_visual_wake_words_that_cannot_be_used(flag, tmp_path):
    value, message = VISUAL_WAKE_WORDS[flag]
    source = fake_data.make("visualwakewords", tmp_path / "source")
    with pytest.raises(UserError, match=message):
        convert("visualwakewords", source, tmp_path / "set", **{flag: value})
    assert not (tmp_path / "set").exists()


def test_a_second_conversion_is_refused_before_it_fetches_anything(tmp_path):
    source = fake_data.make("flowers", tmp_path / "source")
    with write.exclusive(tmp_path / "set"):
        with pytest.raises(UserError, match="Another process is converting"):
            convert("flowers", source, tmp_path / "set")
        assert not list((tmp_path / "set").iterdir())
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"seed": -1}, "--seed must be at least 0 and at most 4294967295; got -1"),
        ({"seed": 2**32}, "--seed must be at least 0 and at most 4294967295; got 4294967296"),
        ({"num_workers": -1}, "--num_workers must be at least 0; got -1"),
    ],
)
def test_impossible_settings(settings, message, tmp_path):
    given = {"dataset_name": "digits", "dataset_dir": os.fspath(tmp_path / "set"), **settings}
    with pytest.raises(UserError, match=message):
        conversion.convert(Conversion(**given))
    assert not (tmp_path / "set").exists()


def test_descriptor_takes_numbers_from_the_manifest(converted):
    for split, size in converted.outcome.manifest.splits.items():
        dataset = dataset_factory.get_dataset(converted.name, split, os.fspath(converted.folder))
        assert dataset.num_samples == size
        assert dataset.num_classes == len(dataset.labels_to_names)
        names = dict(enumerate(converted.outcome.manifest.class_names))
        assert dataset.labels_to_names == names


def test_same_bytes_again_elsewhere(converted, tmp_path):
    again = fake_data.make(converted.name, tmp_path / "source")
    convert(converted.name, again, tmp_path / "set", num_workers=1)
    assert digests(tmp_path / "set") == digests(converted.folder)


def test_complete_set_is_left_alone(converted):
    before = digests(converted.folder)
    outcome = convert(converted.name, converted.source, converted.folder)
    assert outcome.written == ()
    assert "none was written" in outcome.summary(converted.folder)
    assert digests(converted.folder) == before


def test_what_a_run_left_that_was_killed_after_its_manifest_goes(converted):
    (converted.folder / ".downloads").mkdir()
    (converted.folder / ".downloads/archive.tgz").write_bytes(b"of no more use")
    journal.begin(converted.folder, converted.name, [], [])
    assert convert(converted.name, converted.source, converted.folder).written == ()
    assert not (converted.folder / ".downloads").exists()
    assert not journal.path(converted.folder).exists()


@pytest.mark.parametrize("damage", ["delete", "truncate", "flip"])
def test_verify_names_the_damage_and_a_rerun_mends_only_that(converted, damage, tmp_path):
    before = digests(converted.folder)
    shard = max(converted.outcome.manifest.shards, key=lambda shard: shard.records)
    path = converted.folder / shard.name
    data = bytearray(path.read_bytes())
    if damage == "delete":
        path.unlink()
    elif damage == "truncate":
        path.write_bytes(data[:-1])
    else:
        data[-6] ^= 1  # In the payload of the last record.
        path.write_bytes(data)
    (fault,) = manifest.verify(converted.folder)
    assert shard.name in fault
    assert (f"record {shard.records - 1} " in fault) == (damage != "delete")
    outcome = convert(converted.name, converted.source, converted.folder)
    assert outcome.written == (shard.name,)
    assert digests(converted.folder) == before
    assert not list(manifest.verify(converted.folder))


@pytest.mark.parametrize("name", sorted(set(ORIGINAL_NAMES) - {"image_folder"}))
def test_files_and_features_are_those_of_the_original(name, tmp_path):
    source = fake_data.make(name, tmp_path / "source")
    outcome = convert(name, source, tmp_path / "set")
    wanted = GOLDEN[name]["convert"]
    shards = {shard.name for shard in outcome.manifest.shards}
    if "outputs" in wanted:
        assert shards | {"labels.txt"} == set(wanted["outputs"])
    else:
        count = wanted["num_shards"]
        names = {f"{s}.record-{i:05d}-of-{n:05d}" for s, n in count.items() for i in range(n)}
        assert shards == names
    converted = Converted(name, source, tmp_path / "set", outcome)
    kinds = wanted.get("tf_example_features") or {
        key: entry["kind"] for key, entry in GOLDEN["dataset_utils"]["image_to_tfexample"].items()
    }
    for example in converted.all_examples():
        features = example.features.feature
        assert set(features) == set(kinds)
        for key, kind in kinds.items():
            assert features[key].WhichOneof("kind").split("_")[0] == kind.split("_")[0].split()[0]
        wanted_format = wanted.get("format_value", "jpeg").encode()
        assert features["image/format"].bytes_list.value[0] == wanted_format
    class_names = [name.replace("size", "six") for name in wanted.get("class_names", ())]
    if class_names:
        assert list(outcome.manifest.class_names) == class_names


def test_downloads_from_a_server(tmp_path):
    source = fake_data.make("mnist", tmp_path / "source")
    files = {path.name: path.read_bytes() for path in source.folder.iterdir()}
    with fault_server.serve(files) as server:
        url = server.url("")
        outcome = conversion.convert(
            Conversion(
                dataset_name="mnist",
                dataset_dir=os.fspath(tmp_path / "set"),
                source=url,
                archive_checksums="off",
            )
        )
    assert outcome.manifest.splits == {"train": 60, "test": 20}
    assert not (tmp_path / "set/.downloads").exists()


def test_what_another_archive_left_unpacked_is_not_taken_for_this_one(tmp_path):
    source = fake_data.make("flowers", tmp_path / "source")
    archive = source.folder / "flower_photos.tgz"
    with tarfile.open(archive) as tar:
        members = {m.name: tar.extractfile(m).read() for m in tar.getmembers()}
    good = archive.read_bytes()
    victim = next(name for name in members if name.endswith(".jpg"))
    with tarfile.open(archive, "w:gz") as tar:
        for name, data in members.items():
            fake_data.add_to_tar(tar, name, data[:-5] if name == victim else data)
    with pytest.raises(UserError, match=f"{victim}' cannot be used"):
        convert("flowers", source, tmp_path / "set")
    archive.write_bytes(good)
    convert("flowers", source, tmp_path / "set")
    convert("flowers", source, tmp_path / "other")
    assert digests(tmp_path / "set") == digests(tmp_path / "other")


def test_listing_order_does_not_matter(tmp_path):
    for seed in (0, 1):
        (tmp_path / f"source{seed}").mkdir()
        source = fake_data.make_flowers(tmp_path / f"source{seed}", listing_seed=seed)
        convert("flowers", source, tmp_path / f"set{seed}")
    assert digests(tmp_path / "set0") == digests(tmp_path / "set1")
