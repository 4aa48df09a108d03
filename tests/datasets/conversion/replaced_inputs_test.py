"""A conversion that was killed, and whose inputs were replaced by others of the same sizes."""

import dataclasses
import gzip
import hashlib
import io
import os
import pathlib
import signal
import tarfile
import zipfile

import numpy as np
import pytest

from datasets.conversion import convert
from datasets.conversion.settings import Conversion
from datasets.storage import journal, manifest
from tests.datasets import fake_data

_LENGTH = 4000  # Bytes of every image file: zeros after the end are of no concern.
_TIME = (1_700_000_000, 1_700_000_000)

# Dataset -> options, and after how many shards the conversion dies.
CASES = {
    "cifar10": ({}, 1),
    "flowers": ({"num_shards": 4}, 3),
    "image_folder": ({"num_shards": 3}, 4),
    "mnist": ({}, 1),
    "visualwakewords": ({}, 60),
}


def filled(data: bytes) -> bytes:
    assert len(data) <= _LENGTH
    return data.ljust(_LENGTH, b"\0")


def level(path: pathlib.Path) -> None:
    """Writes a file anew so that its size does not depend on what is in it."""
    content = path.read_bytes()
    if path.name.endswith(("tar.gz", ".tgz")):
        packed = io.BytesIO()
        with (
            tarfile.open(fileobj=io.BytesIO(content)) as tar,
            tarfile.open(fileobj=packed, mode="w:gz", compresslevel=0) as leveled,
        ):
            for member in sorted(tar.getmembers(), key=lambda member: member.name):
                data = tar.extractfile(member).read()
                data = filled(data) if member.name.endswith(".jpg") else data
                fake_data.add_to_tar(leveled, member.name, data)
        content = packed.getvalue()
    elif path.suffix == ".gz":
        content = gzip.compress(gzip.decompress(content), 0, mtime=0)
    elif path.suffix == ".zip":
        packed = io.BytesIO()
        with zipfile.ZipFile(path) as before, zipfile.ZipFile(packed, "w") as leveled:
            for name in before.namelist():
                data = before.read(name)
                leveled.writestr(name, filled(data) if name.endswith(".jpg") else data)
        content = packed.getvalue()
    else:
        content = filled(content)
    path.write_bytes(content)
    os.utime(path, _TIME)


def make(name: str, folder: pathlib.Path, seed: int) -> fake_data.Source:
    """Makes the archives of a dataset with other contents for every seed, all of the same sizes."""
    state = np.random.RandomState
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(np.random, "RandomState", lambda number: state(number + 100 * seed))
        source = fake_data.make(name, folder)
    for path in folder.rglob("*"):
        if path.is_file():
            level(path)
    return source


def digests(folder: pathlib.Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def sizes(folder: pathlib.Path) -> dict[str, int]:
    return {str(p.relative_to(folder)): p.stat().st_size for p in folder.rglob("*") if p.is_file()}


def convert_and_die(config: Conversion, count: int) -> None:
    """Carries out a conversion in a process that kills itself when so many shards are noted."""
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL
        return
    note, noted = journal.note, []

    def note_and_die(file, shard):
        note(file, shard)
        noted.append(shard)
        if len(noted) == count:
            os.kill(os.getpid(), signal.SIGKILL)

    try:
        journal.note = note_and_die
        convert.convert(config)
    finally:
        os._exit(1)


@pytest.mark.parametrize("name", CASES)
def test_nothing_of_the_old_inputs_stays(name, tmp_path):
    options, count = CASES[name]
    sources = [make(name, tmp_path / f"source{seed}", seed) for seed in (0, 1)]
    assert sizes(sources[0].folder) == sizes(sources[1].folder)
    config = Conversion(
        dataset_name=name,
        dataset_dir=os.fspath(tmp_path / "set"),
        source=os.fspath(tmp_path / "source"),
        num_workers=1,
        **options,
        **{key: value for key, value in sources[0].options.items() if key not in options},
    )
    fresh = dataclasses.replace(config, dataset_dir=os.fspath(tmp_path / "fresh"))

    sources[0].folder.rename(tmp_path / "source")
    convert_and_die(config, count)
    kept = journal.read(tmp_path / "set").shards
    assert len(kept) == count

    (tmp_path / "source").rename(tmp_path / "old")
    sources[1].folder.rename(tmp_path / "source")
    outcome = convert.convert(config)
    convert.convert(fresh)
    assert set(outcome.written) >= set(kept)
    assert digests(tmp_path / "set") == digests(tmp_path / "fresh")
    assert not list(manifest.verify(tmp_path / "set"))
