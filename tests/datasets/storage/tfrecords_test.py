"""Files that are no sequence of whole records, read with and without a look at the records."""

import os

import pytest

from datasets.storage import tfrecords

RECORDS = [b"first", b"second" * 9, b"", b"last"]


def framed(length: int) -> bytes:
    """Returns the header of a record of any length, right by its checksum."""
    packed = tfrecords._LENGTH.pack(length)
    return packed + tfrecords._checksum(packed)


@pytest.fixture
def path(tmp_path):
    tfrecords.write_shard(tmp_path / "shard", RECORDS)
    return tmp_path / "shard"


def both_say(path, message: str) -> None:
    for read in (tfrecords.check_framing, lambda path: list(tfrecords.read_records(path))):
        with pytest.raises(tfrecords.DamagedShardError, match=message) as caught:
            read(path)
        assert str(path) in str(caught.value)


def test_whole_files_pass(path, tmp_path):
    tfrecords.check_framing(path)
    (tmp_path / "empty").touch()
    tfrecords.check_framing(tmp_path / "empty")


@pytest.mark.parametrize("trailing", [b"\0", b"garbage", bytes(8), bytes(11), bytes(12), bytes(99)])
def test_trailing_bytes_are_found(path, trailing):
    path.write_bytes(path.read_bytes() + trailing)
    both_say(path, "record 4 is damaged")


@pytest.mark.parametrize("length", [1, 3, 7, 8, 11, 12, 13, 15, 16, 19])
def test_a_file_cut_anywhere_in_its_last_record_is_found(path, length):
    last = path.stat().st_size - 16 - len(RECORDS[-1])
    os.truncate(path, last + length)
    both_say(path, rf"record 3 is damaged \(cut off at {last}\)")


@pytest.mark.parametrize("length", [2**20, 2**40, 2**63, 2**64 - 1])
def test_a_length_beyond_the_end_is_not_believed(path, length):
    path.write_bytes(framed(length) + path.read_bytes())
    both_say(path, r"record 0 is damaged \(cut off at 0\)")


def test_a_wrong_length_is_found(path):
    data = bytearray(path.read_bytes())
    data[16 + len(RECORDS[0])] ^= 1
    path.write_bytes(data)
    both_say(path, "record 1 is damaged .wrong length")


def test_a_folder_or_nothing_in_place_of_a_file(tmp_path):
    both_say(tmp_path, "is a folder, not a file of records")
    both_say(tmp_path / "none", "is missing")
    os.mkfifo(tmp_path / "pipe")
    both_say(tmp_path / "pipe", "is a device or pipe, not a file of records")
    os.symlink(tmp_path / "loop", tmp_path / "loop")
    both_say(tmp_path / "loop", "cannot be read: Too many levels of symbolic links")
