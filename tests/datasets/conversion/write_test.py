"""Writing shards: what is kept, what stops a run, and what a killed run leaves behind."""

import dataclasses
import functools
import hashlib
import json
import os
import pathlib
import random
import resource
import signal
import subprocess
import sys
import time

import pytest

from datasets.conversion import write
from datasets.conversion.plan import ExtraFile, Plan, PlannedShard, Problem, digest
from datasets.storage import journal, manifest, tfrecords
from slim_internal.ground.errors import UserError
from slim_internal.ground.files import atomic

NUM_SHARDS = 12
RECORDS = 40
PAUSE = 0.002  # Seconds between two records of a run that is to be interrupted.


def records(index: int, count: int = RECORDS, pause: float = 0.0):
    for number in range(count):
        time.sleep(pause)
        yield b"%d/%d" % (index, number) * 50


def failing(index: int):
    yield from records(index, 5)
    raise UserError(f"picture {index}.jpg cannot be used")


def killed(index: int):
    yield from records(index, 5)
    os.kill(os.getpid(), signal.SIGKILL)


def with_problems(index: int):
    yield Problem(f"{index}\n.jpg", "it is empty", "skipped")
    yield from records(index, RECORDS - 1)


def with_remark(index: int):
    yield Problem(f"{index}.png", "it is nearly black", "kept")
    yield from records(index)


def losing_one(index: int):
    yield from records(index, RECORDS - 1)


def make_plan(source=records, bad=None, **fields) -> Plan:
    shards = [
        PlannedShard(
            name=f"train-{index:05d}-of-{NUM_SHARDS:05d}",
            split="train",
            inputs=digest(index),
            examples=RECORDS,
            records=functools.partial(records if bad not in (None, index) else source, index),
        )
        for index in range(NUM_SHARDS)
    ]
    fields = {"examples_per_worker": 1} | fields
    return Plan(dataset="mnist", class_names=("a",), shards=tuple(shards), **fields)


def digests(folder: pathlib.Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def reference(tmp_path_factory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("reference")
    write.build(folder, make_plan())
    return digests(folder)


@pytest.mark.parametrize("num_workers", [2, 7])
def test_bytes_do_not_depend_on_the_number_of_workers(num_workers, reference, tmp_path):
    write.build(tmp_path, make_plan(), num_workers=num_workers)
    assert digests(tmp_path) == reference


def test_manifest_tells_what_the_files_hold(reference, tmp_path):
    outcome = write.build(tmp_path, make_plan(options={"seed": 3}))
    assert manifest.read(tmp_path) == outcome.manifest
    assert outcome.manifest.options == {"seed": 3}
    assert outcome.manifest.splits == {"train": NUM_SHARDS * RECORDS}
    assert not list(manifest.verify(tmp_path))
    for shard in outcome.manifest.shards:
        assert tfrecords.scan(tmp_path / shard.name) == shard.contents


def test_killed_after_its_manifest_only_the_journal_is_left_to_go(reference, tmp_path):
    plan = make_plan()
    write.build(tmp_path, plan)
    journal.begin(tmp_path, plan.dataset, [shard.name for shard in plan.shards], [])
    assert write.build(tmp_path, plan).written == ()
    assert digests(tmp_path) == reference


@pytest.fixture
def read_only(tmp_path):
    """Returns a function that shows a folder at a place where nothing can be written."""
    mounted = []

    def show(folder: pathlib.Path) -> pathlib.Path:
        place = tmp_path / "read-only"
        place.mkdir()
        for options in (["--bind", folder], ["-o", "remount,ro,bind"]):
            command = ["mount", *map(os.fspath, (*options, place))]
            if subprocess.run(command, capture_output=True, check=False).returncode:
                pytest.skip("only root may mount a folder, and not in every sandbox")
            mounted.append(place)
        return place

    yield show
    for place in set(mounted):
        subprocess.run(["umount", place], check=True)


def test_complete_set_on_a_disk_that_can_only_be_read(tmp_path, read_only):
    write.build(tmp_path / "set", make_plan())
    outcome = write.build(read_only(tmp_path / "set"), make_plan())
    assert outcome.written == ()


def test_progress_reaches_the_total(tmp_path):
    seen = []
    write.build(
        tmp_path, make_plan(), progress=lambda status: seen.append((status.done, status.total))
    )
    total = NUM_SHARDS * RECORDS
    assert seen == sorted(seen)
    assert seen[-1] == (total, total)


@pytest.mark.parametrize("num_workers", [1, 2])
def test_failure_of_one_worker_fails_the_run_and_a_rerun_completes_it(
    num_workers, reference, tmp_path
):
    with pytest.raises(UserError, match=r"picture 8\.jpg cannot be used"):
        write.build(tmp_path, make_plan(failing, bad=8), num_workers=num_workers)
    assert not (tmp_path / manifest.FILENAME).exists()
    assert not atomic.unfinished(tmp_path)
    outcome = write.build(tmp_path, make_plan())
    assert 0 < len(outcome.written) < NUM_SHARDS
    assert digests(tmp_path) == reference


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a disk that is always full")
def test_disk_that_gets_full_is_said_and_a_rerun_completes_the_set(
    reference, tmp_path, monkeypatch
):
    plan = make_plan()
    last = atomic.partial_path(tmp_path / plan.shards[-1].name)
    real = atomic.open_alone

    def without_room_for_the_last(path):
        return os.open("/dev/full", os.O_WRONLY) if path == last else real(path)

    message = r"Cannot write to .*: the disk is full \(No space left on device\)"
    with monkeypatch.context() as patch:
        patch.setattr(atomic, "open_alone", without_room_for_the_last)
        with pytest.raises(UserError, match=message):
            write.build(tmp_path, plan)
    assert not (tmp_path / manifest.FILENAME).exists()
    assert not atomic.unfinished(tmp_path)
    assert write.build(tmp_path, make_plan()).written == (plan.shards[-1].name,)
    assert digests(tmp_path) == reference


@pytest.mark.parametrize("num_workers", [1, 2])
def test_file_size_limit_is_said_and_a_rerun_completes_the_set(reference, tmp_path, num_workers):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, before[1]))  # The workers inherit it.
    try:
        with pytest.raises(
            UserError, match=r"larger than a file may become here \(see ulimit -f\)"
        ):
            write.build(tmp_path, make_plan(examples_per_worker=1), num_workers=num_workers)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not (tmp_path / manifest.FILENAME).exists()
    assert not list(tmp_path.glob("train-*"))
    write.build(tmp_path, make_plan())
    assert digests(tmp_path) == reference


def test_worker_killed_by_the_system_ends_the_run_soon(reference, tmp_path):
    start = time.monotonic()
    with pytest.raises(UserError, match="A worker process was killed"):
        write.build(tmp_path, make_plan(killed, bad=3), num_workers=2)
    assert time.monotonic() - start < 10
    assert not (tmp_path / manifest.FILENAME).exists()
    write.build(tmp_path, make_plan())
    assert digests(tmp_path) == reference


SCRIPT = """
import functools, sys
from tests.datasets.conversion import write_test
from datasets.conversion import write
if __name__ == "__main__":
    slow = functools.partial(write_test.records, pause=write_test.PAUSE)
    try:
        print("begin", flush=True)
        write.build(sys.argv[1], write_test.make_plan(slow), num_workers=int(sys.argv[2]))
    except KeyboardInterrupt:
        sys.exit(130)
"""


def start(folder: pathlib.Path, num_workers: int, script: pathlib.Path) -> subprocess.Popen:
    script.write_text(SCRIPT)
    root = pathlib.Path(__file__).parents[3]
    paths = [os.fspath(root), os.fspath(root / "slim"), *sys.path]
    return subprocess.Popen(
        [sys.executable, os.fspath(script), os.fspath(folder), str(num_workers)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


@pytest.mark.parametrize("num_workers", [1, 2])
def test_killed_at_ten_random_points_and_run_again(num_workers, reference, tmp_path):
    """Ten points for each of two numbers of workers: twenty in all, spread over the whole run."""
    moments = random.Random(num_workers)
    interrupted = 0
    for finished in range(10):
        folder = tmp_path / f"set{finished}"
        process = start(folder, num_workers, tmp_path / "script.py")
        process.stdout.readline()
        while len(list(folder.glob("train-*"))) < finished and process.poll() is None:
            time.sleep(0.001)
        time.sleep(moments.random() * RECORDS * PAUSE)
        process.kill()
        interrupted += process.wait() == -signal.SIGKILL
        process.stdout.close()
        process.stderr.close()
        if interrupted and not (folder / manifest.FILENAME).exists():
            # What has its final name is whole, whenever the run was killed.
            for path in folder.glob("train-*"):
                assert digests(folder)[path.name] == reference[path.name]
        write.build(folder, make_plan())
        assert digests(folder) == reference
    assert interrupted >= 8


@pytest.mark.parametrize("tenths", [1, 2, 3])  # At 0 the program itself is still importing.
def test_interrupt_reaches_workers_that_are_just_starting_and_nobody_complains(tenths, tmp_path):
    """A terminal sends Ctrl-C to the program and to its workers alike."""
    process = start(tmp_path / "set", 2, tmp_path / "script.py")
    process.stdout.readline()
    time.sleep(tenths / 10)
    os.killpg(process.pid, signal.SIGINT)
    _, complaints = process.communicate(timeout=10)
    assert (process.returncode, complaints) == (130, b"")
    assert not atomic.unfinished(tmp_path / "set")


def test_no_worker_outlives_its_parent(tmp_path):
    process = start(tmp_path / "set", 2, tmp_path / "script.py")
    while not atomic.unfinished(tmp_path / "set"):
        time.sleep(0.05)
    process.kill()
    process.communicate(timeout=5)  # Ends when the last worker closes its standard error.


def test_second_conversion_into_the_same_folder_is_refused(tmp_path):
    def nested():
        with pytest.raises(UserError, match="Another process is converting"):
            write.build(tmp_path, make_plan())
        yield b"x"

    plan = make_plan()
    shard = PlannedShard(name="a", split="train", inputs="", examples=1, records=nested)
    plan = Plan(dataset="mnist", class_names=(), shards=(shard,))
    assert write.build(tmp_path, plan).written == ("a",)


def test_refuses_to_replace_a_set_made_from_other_inputs(tmp_path):
    write.build(tmp_path, make_plan())
    before = digests(tmp_path)
    shard = PlannedShard(
        name="train-0", split="train", inputs="other", examples=1, records=lambda: [b"x"]
    )
    with pytest.raises(UserError, match="holds a complete set, mnist"):
        write.build(tmp_path, Plan(dataset="mnist", class_names=(), shards=(shard,)))
    assert digests(tmp_path) == before


def test_unfinished_run_with_other_inputs_is_written_anew(reference, tmp_path):
    with pytest.raises(UserError):
        write.build(tmp_path, make_plan(failing, bad=8))
    path = journal.path(tmp_path)
    header, *lines = path.read_text().splitlines()
    assert len(lines) == 8
    others = [json.dumps(json.loads(line) | {"inputs": "other"}) for line in lines]
    path.write_text("\n".join([header, *others, '{"name": "t']))
    assert len(write.build(tmp_path, make_plan()).written) == NUM_SHARDS
    assert digests(tmp_path) == reference


def test_files_of_an_unfinished_run_that_are_not_planned_any_more_go(reference, tmp_path):
    (tmp_path / "mine.txt").write_text("dear to someone")
    more = dataclasses.replace(
        make_plan(failing, bad=8),
        shards=tuple(
            dataclasses.replace(shard, name=f"train-{index:05d}-of-00099")
            for index, shard in enumerate(make_plan(failing, bad=8).shards)
        ),
    )
    with pytest.raises(UserError):
        write.build(tmp_path, more)
    # Moved to its name by a process that was killed before it could note that.
    (tmp_path / "train-00009-of-00099").write_bytes(b"")
    assert len(list(tmp_path.glob("train-*-of-00099"))) == 9
    write.build(tmp_path, make_plan())
    assert (tmp_path / "mine.txt").exists()
    (tmp_path / "mine.txt").unlink()
    assert digests(tmp_path) == reference


def test_journal_cannot_name_files_elsewhere(tmp_path):
    (tmp_path / "mine").write_text("dear to someone")
    (tmp_path / "set").mkdir()
    journal.begin(tmp_path / "set", "mnist", ["../mine", str(tmp_path / "mine")], [])
    write.build(tmp_path / "set", make_plan())
    assert (tmp_path / "mine").exists()


@pytest.mark.parametrize(
    ("header", "name"), [('{"dataset": "flowers", "files": []}', "flowers"), ("{", "unknown")]
)
def test_part_of_another_set_is_refused(header, name, tmp_path):
    journal.path(tmp_path).write_text(header)
    with pytest.raises(UserError, match=f"holds a part of another dataset, {name}"):
        write.build(tmp_path, make_plan())
    assert journal.path(tmp_path).read_text() == header


def test_disk_too_small_is_said_before_anything_is_written(tmp_path):
    with pytest.raises(UserError, match=r"for the dataset: 1000000\.0 TB needed"):
        write.build(tmp_path / "set", make_plan(needed_bytes=10**18))
    assert not (tmp_path / "set").exists()
    with pytest.raises(UserError):
        write.build(tmp_path / "set", make_plan(failing, bad=8))
    half = digests(tmp_path / "set")
    with pytest.raises(UserError, match=r"for the dataset: 333333\.3 TB needed"):
        write.build(tmp_path / "set", make_plan(needed_bytes=10**18))
    assert digests(tmp_path / "set").keys() == half.keys()


def test_problems_are_reported(tmp_path):
    outcome = write.build(tmp_path, make_plan(with_problems, bad=4, max_problems=1))
    assert [shard.problems for shard in outcome.manifest.shards if shard.problems] == [
        (("4\n.jpg", "it is empty", "skipped"),)
    ]
    report = (tmp_path / write.REPORT).read_text()
    assert report == 'file,fault,action\n"4\n.jpg",it is empty,skipped\n'
    assert "Bad images: 1, listed in bad_images.csv" in outcome.summary(tmp_path)


def test_what_is_kept_is_reported_but_no_problem(tmp_path):
    outcome = write.build(tmp_path, make_plan(with_remark, bad=4, max_problems=0))
    assert "4.png,it is nearly black,kept" in (tmp_path / write.REPORT).read_text()
    assert "Kept but dubious: 1, listed in bad_images.csv" in outcome.summary(tmp_path)
    assert "Bad images" not in outcome.summary(tmp_path)


def test_an_example_that_is_lost_in_silence_is_a_bug(tmp_path):
    with pytest.raises(RuntimeError, match="'train': 479"):
        write.build(tmp_path, make_plan(losing_one, bad=4))
    assert not (tmp_path / manifest.FILENAME).exists()


@pytest.mark.parametrize("text", [None, "mine", "theirs"])
def test_an_extra_file_takes_nobodys_place(text, tmp_path):
    plan = make_plan(extra_files=(ExtraFile("boxes.csv", "mine", "holds other boxes."),))
    if text:
        (tmp_path / "boxes.csv").write_text(text)
    if text == "theirs":
        with pytest.raises(UserError, match=r"boxes\.csv holds other boxes\."):
            write.build(tmp_path, plan)
    else:
        write.build(tmp_path, plan)
        assert (tmp_path / "boxes.csv").read_text() == "mine"
    assert (tmp_path / manifest.FILENAME).exists() == (text != "theirs")


def test_too_many_problems_stop_the_run(tmp_path):
    with pytest.raises(UserError, match="More than 2 images are unusable"):
        write.build(tmp_path, make_plan(with_problems, max_problems=2))
    assert not (tmp_path / manifest.FILENAME).exists()
    assert (tmp_path / write.REPORT).exists()
    # The pictures are mended: their shards have other inputs, and nothing is left to report.
    shards = [dataclasses.replace(s, inputs="mended") for s in make_plan().shards]
    write.build(tmp_path, dataclasses.replace(make_plan(), shards=tuple(shards)))
    assert not (tmp_path / write.REPORT).exists()


def test_too_many_problems_stop_the_run_that_has_nothing_left_to_write_as_well(tmp_path):
    plan = make_plan(with_problems, max_problems=NUM_SHARDS - 1)
    for _ in range(2):
        with pytest.raises(UserError, match="are unusable"):
            write.build(tmp_path, plan)
    assert len(list(tmp_path.glob("train-*"))) == NUM_SHARDS
    assert not (tmp_path / manifest.FILENAME).exists()
    accepted = write.build(tmp_path, dataclasses.replace(plan, max_problems=NUM_SHARDS))
    assert accepted.written == ()
    assert "none was written. Bad images: 12" in accepted.summary(tmp_path)


@pytest.mark.parametrize("position", ["length", "length checksum", "payload", "payload checksum"])
def test_flipped_bit_is_found_in_the_record_that_has_it(position, tmp_path):
    path = tmp_path / "shard"
    tfrecords.write_shard(path, [b"%04d" % number for number in range(10)])
    offset = {"length": 0, "length checksum": 8, "payload": 12, "payload checksum": 16}[position]
    data = bytearray(path.read_bytes())
    data[7 * 20 + offset] ^= 0x10
    path.write_bytes(data)
    with pytest.raises(tfrecords.DamagedShardError, match="record 7 is damaged"):
        tfrecords.scan(path)


def test_record_that_is_intact_but_not_the_one_written_is_found(tmp_path):
    shard = write.build(tmp_path, make_plan()).manifest.shards[0]
    path = tmp_path / shard.name
    kept = list(tfrecords.read_records(path))
    tfrecords.write_shard(path, reversed(kept))
    assert path.stat().st_size == shard.bytes
    assert "not those that were written" in manifest.damage(tmp_path, shard)
    tfrecords.write_shard(path, kept[:-1])
    assert f"record {RECORDS - 1} " in manifest.damage(tmp_path, shard)
