"""Unpacking archives that are good, damaged or hostile."""

import gzip
import io
import os
import random
import shutil
import struct
import tarfile
import zipfile

import pytest

from slim_internal.ground import errors
from slim_internal.ground.downloads import unpacking
from tests.slim_internal.ground.downloads.archives import tar_bytes, tar_header, zip_bytes

GOOD = {"top/a.txt": b"first", "top/sub/b.bin": bytes(range(256)) * 40, "c": b""}


def tree(folder) -> dict[str, bytes | None]:
    """Everything below a folder: path -> content, or None for a folder."""
    return {
        str(path.relative_to(folder)): None if path.is_dir() else path.read_bytes()
        for path in sorted(folder.rglob("*"))
    }


def files_below(folder) -> dict[str, bytes]:
    return {name: content for name, content in tree(folder).items() if content is not None}


@pytest.fixture
def place(tmp_path):
    """A folder for the archive and the target, with bystanders that nothing may change."""
    (tmp_path / "bystander").write_bytes(b"untouched")
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "x").write_bytes(b"untouched")
    return tmp_path / "work"


def extract(place, content: bytes, **limits) -> str:
    (place / "archive").write_bytes(content)
    return unpacking.extract(place / "archive", place / "out", **limits)


FORMATS = {
    "tar": lambda: tar_bytes(GOOD.items(), "w:"),
    "tar_gz": lambda: tar_bytes(GOOD.items()),
    "tar_of_2_gzip_streams": lambda: b"".join(
        gzip.compress(half) for half in _halves(tar_bytes(GOOD.items(), "w:"))
    ),
    "zip": lambda: zip_bytes(GOOD.items()),
    "with_folders": lambda: tar_bytes(
        [("./", "DIRTYPE"), ("./top/", "DIRTYPE"), ("top", "DIRTYPE"), *GOOD.items()]
    ),
    "zip_lzma": lambda: zip_bytes(GOOD.items(), zipfile.ZIP_LZMA),
    "zip_bzip2": lambda: zip_bytes(GOOD.items(), zipfile.ZIP_BZIP2),
    "zip_with_folders": lambda: zip_bytes([("top/", b"", 0o40755), *GOOD.items()]),
    "zip_for_large_archives": lambda: _with_large_end(zip_bytes(GOOD.items())),
}


def _with_large_end(content: bytes) -> bytes:
    """A zip with the end that archives of many members or bytes have."""
    place = content.rindex(b"PK\5\6")
    count, _, length, start = struct.unpack_from("<HHII", content, place + 8)
    end = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, count, count, length, start)
    end += struct.pack("<4sIQI", b"PK\6\7", 0, place, 1)
    return content[:place] + end + b"PK\5\6" + bytes(4) + b"\xff" * 12 + bytes(2)


def _halves(content: bytes) -> tuple[bytes, bytes]:
    return content[: len(content) // 2], content[len(content) // 2 :]


@pytest.mark.parametrize("make", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize("exists", [True, False], ids=["empty_folder", "no_folder"])
def test_unpacks(place, make, exists):
    if exists:
        (place / "out").mkdir()
    assert extract(place, make()) == str(place / "out")
    assert files_below(place / "out") == GOOD
    assert sorted(os.listdir(place)) == ["archive", "out", "x"]


@pytest.mark.parametrize("mode", [0o6777, 0])
def test_modes_in_the_archive_do_not_count(place, mode):
    extract(place, tar_bytes([("a", b"x", {"mode": mode})]))
    (place / "plain").touch()
    assert (place / "out" / "a").stat().st_mode == (place / "plain").stat().st_mode


ATTACKS = {
    # What an archive holds, and what the message says about it.
    "parent": ([("../x", b"evil")], "points outside"),
    "parent_inside": ([("a/../../x", b"evil")], "points outside"),
    "absolute": ([("/abs", b"evil")], "points outside"),
    "symlink_then_file": (
        [("link", "SYMTYPE", {"linkname": ".."}), ("link/x", b"evil")],
        "no regular file",
    ),
    "symlink_inside": ([("a", b"1"), ("b", "SYMTYPE", {"linkname": "a"})], "no regular file"),
    "hardlink_outside": ([("a", "LNKTYPE", {"linkname": "../x"})], "no regular file"),
    "hardlink_inside": ([("a", b"1"), ("b", "LNKTYPE", {"linkname": "a"})], "no regular file"),
    "character_device": ([("a", "CHRTYPE", {"devmajor": 1, "devminor": 3})], "no regular file"),
    "block_device": ([("a", "BLKTYPE")], "no regular file"),
    "fifo": ([("a", "FIFOTYPE")], "no regular file"),
    "contiguous": ([("a", "CONTTYPE")], "no regular file"),
    "backslash": ([("..\\x", b"evil")], "points outside"),
    "case": ([("a", b"1"), ("A", b"2")], "same place"),
    "case_of_folder": ([("d/a", b"1"), ("D/b", b"2")], "same place"),
    "two_ways_to_write_an_accent": ([("caf\u00e9", b"1"), ("cafe\u0301", b"2")], "same place"),
    "duplicate": ([("a", b"1"), ("b", b"2"), ("a", b"3")], "same place"),
    "duplicate_by_dot": ([("a", b"1"), ("./a", b"2")], "same place"),
    "file_then_folder": ([("a", b"1"), ("a/b", b"2")], "same place"),
    "folder_then_file": ([("a/b", b"1"), ("a", b"2")], "same place"),
    "10001_members": ([(f"f{n}", b"") for n in range(10_001)], "more members"),
    "more_bytes": ([("a", bytes(600)), ("b", bytes(600))], "larger than is allowed"),
    "empty": ([], "it is empty"),
    "only_the_root": ([("./", "DIRTYPE")], "it is empty"),
}


def refuse(place, content: bytes, message: str, **limits) -> None:
    before = tree(place.parent)
    before["work/archive"] = content
    with pytest.raises(errors.UserError, match=message) as caught:
        extract(place, content, **limits)
    assert str(place / "archive") in str(caught.value)
    assert tree(place.parent) == before


@pytest.mark.parametrize(("members", "message"), ATTACKS.values(), ids=ATTACKS)
def test_refuses_tar(place, members, message):
    refuse(place, tar_bytes(members), message, max_bytes=1000)


ZIP_ATTACKS = {
    name: (members, message)
    for name, (members, message) in ATTACKS.items()
    if all(isinstance(content, bytes) for _, content, *_ in members)
} | {
    "symlink": ([("a", b"/etc/passwd", 0o120777)], "no regular file"),
    "device": ([("a", b"", 0o020666)], "no regular file"),
}


@pytest.mark.parametrize(("members", "message"), ZIP_ATTACKS.values(), ids=ZIP_ATTACKS)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_refuses_zip(place, members, message):
    refuse(place, zip_bytes(members), message, max_bytes=1000)


def test_refuses_a_zip_member_with_a_nul(place):
    content = zip_bytes([("a#b", b"1")]).replace(b"a#b", b"a\0b")
    refuse(place, content, "points outside")


@pytest.mark.parametrize("tenth", range(10))
@pytest.mark.parametrize("mode", ["w:gz", "w:"], ids=["tar_gz", "tar"])
def test_refuses_a_tar_cut_short(place, tenth, mode):
    members = [(f"f{n}", random.Random(n).randbytes(5000)) for n in range(20)]
    content = tar_bytes(members, mode)
    # tar pads with zeros up to 10 kB, which nobody misses.
    end = len(content) if mode == "w:gz" else 20 * (512 + 5120)
    refuse(place, content[: end * tenth // 10 + 7], "damaged")


@pytest.mark.parametrize("missing", [1, 4, 8, 9])
def test_refuses_a_gzip_that_lacks_its_last_bytes(place, missing):
    refuse(place, tar_bytes(GOOD.items())[:-missing], "cut short")


@pytest.mark.parametrize("members_left", [1, 2])
def test_refuses_a_tar_cut_between_two_members(place, members_left):
    content = tar_bytes([(f"f{n}", bytes(512)) for n in range(3)], "w:")
    refuse(place, content[: members_left * 1024], "cut short")


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("kind", ["tar_gz", "zip", "zip_lzma", "zip_bzip2"])
def test_a_flipped_bit_never_gives_a_wrong_file(place, seed, kind):
    content = bytearray(FORMATS[kind]())
    bit = random.Random(seed).randrange(8 * len(content))
    content[bit // 8] ^= 1 << bit % 8
    fault = ""
    try:
        extract(place, bytes(content))
    except errors.UserError as error:
        fault = str(error)
    if fault:
        assert "cannot be unpacked" in fault  # It is the archive that is at fault, not the disk.
        assert not (place / "out").exists()
    else:
        # Headers hold a few bytes that mean nothing to us, such as times.
        assert files_below(place / "out") == GOOD


def test_refuses_a_damaged_header_between_two_members(place):
    content = bytearray(tar_bytes([("a", b"1"), ("b", b"2"), ("c", b"3")], "w:"))
    content[1024 + 200] ^= 1
    refuse(place, bytes(content), "damaged or cut short")


@pytest.mark.parametrize(
    "content",
    [b"", b"hello", b"<html>" * 200, b"\x1f\x8bnonsense", b"PK\x03\x04nonsense"],
    ids=["nothing", "text", "html", "gzip_magic", "zip_magic"],
)
def test_refuses_what_is_no_archive(place, content):
    refuse(place, content, "damaged")


def test_refuses_an_encrypted_zip(place):
    content = bytearray(zip_bytes([("a", b"1")]))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + offset] |= 1
    refuse(place, bytes(content), "encrypted")


def test_refuses_a_missing_archive(place):
    with pytest.raises(errors.UserError, match="There is no archive"):
        unpacking.extract(place / "nowhere.tar", place / "out")


def test_refuses_a_folder_that_holds_something(place):
    extract(place, FORMATS["tar"]())
    before = tree(place)
    with pytest.raises(errors.UserError, match="exists already"):
        extract(place, FORMATS["tar"]())
    assert tree(place) == before


def test_refuses_a_size_below_zero(place):
    # tarfile would go back to the same header for ever, or read the rest of the file at once; that
    # of Python 3.13.5 calls the offset invalid.
    message = "no regular file|headers is too long|invalid offset"
    for kind in (tarfile.REGTYPE, tarfile.XHDTYPE):
        info = tarfile.TarInfo("a")
        info.type, info.size = kind, -1024
        refuse(place, info.tobuf(tarfile.GNU_FORMAT) * 3, message)


NONSENSE = {
    "sparse_map": {"GNU.sparse.map": "1,x"},
    "sparse_size": {"GNU.sparse.map": "0,1", "GNU.sparse.size": "x"},
    "sparse_data": {"GNU.sparse.major": "1", "GNU.sparse.minor": "0"},
}


@pytest.mark.parametrize("digits", [20, 5000])
def test_refuses_an_extended_header_of_a_length_of_many_digits(place, digits):
    header = tar_header("XHDTYPE", b"9" * digits + b" path=x\n")
    refuse(place, header + tar_header("REGTYPE", b"1") + bytes(1024), "makes no sense")


@pytest.mark.parametrize("header", NONSENSE.values(), ids=NONSENSE)
def test_refuses_extended_headers_that_make_no_sense(place, header):
    refuse(place, tar_bytes([("a", bytes(600), {"pax_headers": header})]), "damaged")


def test_refuses_a_sparse_file(place):
    sparse = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "9999999"}
    members = [("a", b"1\n0\n1\n".ljust(512, b"\0") + b"x", {"pax_headers": sparse})]
    refuse(place, tar_bytes(members), "no regular file")


def test_refuses_to_unpack_over_a_folder_after_a_killed_run(place):
    (place / "out.incomplete" / "old").mkdir(parents=True)
    (place / "out").mkdir()
    (place / "out" / "mine").write_bytes(b"mine")
    with pytest.raises(errors.UserError, match="exists already"):
        extract(place, FORMATS["tar"]())
    assert tree(place / "out") == {"mine": b"mine"}


def test_a_link_in_the_place_of_what_a_killed_run_left_is_not_emptied(place):
    (place / "mine").mkdir()
    (place / "mine" / "file").write_bytes(b"dear to someone")
    (place / "out.incomplete").symlink_to(place / "mine")
    with pytest.raises(errors.UserError, match=r"Cannot write to .*out\.incomplete"):
        extract(place, FORMATS["tar"]())
    assert tree(place / "mine") == {"file": b"dear to someone"}


def test_clears_what_a_killed_run_left(place):
    (place / "out.incomplete" / "old").mkdir(parents=True)
    (place / "out.incomplete" / "old" / "file").write_bytes(b"half")
    extract(place, tar_bytes([("a", b"1")]))
    assert tree(place / "out") == {"a": b"1"}
    assert not (place / "out.incomplete").exists()


NULS = {
    "gnu": tar_header("GNUTYPE_LONGNAME", b"a\0b\0") + tar_header("REGTYPE", b"1"),
    "pax": tar_header("XHDTYPE", b"12 path=a\0b\n") + tar_header("REGTYPE", b"1"),
}


@pytest.mark.parametrize("content", NULS.values(), ids=NULS)
def test_refuses_a_tar_member_with_a_nul(place, content):
    refuse(place, content + bytes(1024), "holds a NUL|points outside")


def test_a_name_of_the_longest_kind_is_unpacked(place):
    name = "/".join(["d" * 50] * 8)
    for format_ in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=format_) as archive:
            info = tarfile.TarInfo(name)
            info.size = 512
            archive.addfile(info, io.BytesIO(b"L" * 512))
            archive.addfile(tarfile.TarInfo("b"))
        extract(place, buffer.getvalue())
        assert files_below(place / "out") == {name: b"L" * 512, "b": b""}
        shutil.rmtree(place / "out")


def test_counts_the_folders_that_are_not_listed(place):
    members = [("/".join(f"{n}_{k}" for k in range(60)), b"1") for n in range(5)]
    refuse(place, tar_bytes(members), "more members", max_members=299)
    extract(place, tar_bytes(members), max_members=300)


def test_refuses_a_zip_member_without_a_name(place):
    refuse(place, zip_bytes([("a", b"1"), ("", b"2")]), "has no name")


@pytest.mark.parametrize("change", [-1, 1])
def test_refuses_a_zip_with_another_number_of_members(place, change):
    content = bytearray(zip_bytes([("a", b"1"), ("b", b"2")]))
    place_of_count = content.rindex(b"PK\5\6") + 10
    content[place_of_count] += change
    refuse(place, bytes(content), "number of its members differs")


# Bytes to write into the list of a zip, at a place behind the signature: of the size, of the name.
ZIP_LISTS = {
    "longer_than_it_is": ("a", 24, b"\x09", "the length of 'a' differs"),
    "shorter_than_it_is": ("a", 24, b"\x01", "Bad CRC-32"),
    "folder_of_bytes": ("a/", 24, b"\x05", "the length of 'a' differs"),
    "name_not_utf_8": ("caf\u00e9", 46, b"\xff", "name of a member is not UTF-8"),
    "unknown_compression": ("a", 10, b"\x09", "compression method is not supported"),
}


@pytest.mark.parametrize(("name", "offset", "value", "message"), ZIP_LISTS.values(), ids=ZIP_LISTS)
def test_refuses_a_zip_whose_list_is_wrong(place, name, offset, value, message):
    content = bytearray(zip_bytes([("z", b"1"), (name, b"12345")]))
    start = content.rindex(b"PK\1\2") + offset
    content[start : start + 1] = value
    refuse(place, bytes(content), message)


def test_refuses_a_zip_whose_end_for_large_archives_is_wrong(place):
    content = _with_large_end(zip_bytes(GOOD.items()))
    refuse(place, content.replace(b"PK\6\6", b"PK\6\5"), "end for large archives is missing")
    at = content.index(b"PK\6\6") + 24
    greedy = content[:at] + struct.pack("<QQ", 2**60, 2**60) + content[at + 16 :]
    refuse(place, greedy, "more members")


def test_refuses_members_behind_the_end_marker(place):
    content = tar_bytes([("a", b"1")], "w:")[:1024] + bytes(1024) + tar_bytes([("b", b"2")], "w:")
    refuse(place, content, "end marker stands in the middle")


@pytest.mark.parametrize("kind", ["tar", "tar_gz", "zip"])
def test_refuses_every_cut(place, kind):
    members = [(f"f{n}", bytes(512 * (n % 3))) for n in range(6)]
    content = {
        "tar": lambda: tar_bytes(members, "w:")[: 6 * 512 + 6 * 512 + 512],
        "tar_gz": lambda: tar_bytes(members),
        "zip": lambda: zip_bytes(members),
    }[kind]()
    step = 512 if kind == "tar" else 13
    for end in range(0, len(content), step):
        refuse(place, content[:end], "damaged|is empty")
