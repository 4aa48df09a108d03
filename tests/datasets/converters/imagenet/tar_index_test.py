"""The index of tar archives, compared with what the standard library says of them."""

import io
import os
import tarfile

import pytest

from datasets.converters.imagenet import tar_index
from slim_internal.ground import errors
from tests.datasets.converters.imagenet import fake_ilsvrc

FILES = {
    "n01440764_1.JPEG": b"one",
    "folder/n01440764_22.JPEG": b"x" * 512,
    "empty.JPEG": b"",
    "long/" + "n" * 150 + ".JPEG": b"y" * 1000,
    "a" * 80 + "/" + "b" * 90: b"name and prefix",
    "größe\n.JPEG": b"not ASCII, and a line break",
}
FORMATS = {
    "ustar": tarfile.USTAR_FORMAT,
    "gnu": tarfile.GNU_FORMAT,
    "pax": tarfile.PAX_FORMAT,
}


def archive(format_id: int, files=FILES) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=format_id) as tar:
        folder = tarfile.TarInfo("folder")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        for name, data in files.items():
            header = tarfile.TarInfo(name)
            header.size = len(data)
            header.mtime = 0.5  # Not a whole second: pax writes a header of its own for it.
            tar.addfile(header, io.BytesIO(data))
    return buffer.getvalue()


def saved(tmp_path, data: bytes) -> str:
    path = tmp_path / "archive.tar"
    path.write_bytes(data)
    return os.fspath(path)


@pytest.mark.parametrize("name", FORMATS)
def test_finds_what_tarfile_finds(tmp_path, name):
    files = dict(FILES)
    if name == "ustar":
        del files["long/" + "n" * 150 + ".JPEG"]  # More than this format can hold.
    data = archive(FORMATS[name], files)

    found = list(tar_index.index(saved(tmp_path, data)))

    assert {member.name: data[member.offset :][: member.size] for member in found} == files
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        expected = [(m.name, m.offset_data, m.size) for m in tar if m.isreg()]
    assert [tuple(member) for member in found] == expected


def test_offsets_in_nested_archives_count_from_the_outer_one(tmp_path):
    inner = {"a": archive(tarfile.GNU_FORMAT), "b": archive(tarfile.PAX_FORMAT)}
    data = archive(tarfile.USTAR_FORMAT, {f"{name}.tar": tar for name, tar in inner.items()})

    found = list(tar_index.index_nested(saved(tmp_path, data)))

    assert [stem for stem, _ in found] == ["a"] * len(FILES) + ["b"] * len(FILES)
    contents = [data[member.offset :][: member.size] for _, member in found]
    assert contents == 2 * list(FILES.values())


def test_reads_sizes_that_octal_digits_cannot_hold(tmp_path):
    header = tarfile.TarInfo("huge")
    header.size = 9 * 2**30
    path = tmp_path / "huge.tar"
    with open(path, "wb") as file:
        file.write(header.tobuf(tarfile.GNU_FORMAT))
        file.truncate(512 + header.size + 1024)  # A hole, which takes no disk.

    assert list(tar_index.index(path)) == [("huge", 512, 9 * 2**30)]


def test_a_nested_archive_must_hold_archives(tmp_path):
    path = saved(tmp_path, archive(tarfile.GNU_FORMAT, {"picture.JPEG": b"x"}))
    with pytest.raises(errors.UserError, match=r"holds 'picture.JPEG' where tar archives are"):
        list(tar_index.index_nested(path))


GOOD = archive(tarfile.GNU_FORMAT)
DAMAGED = {
    "empty file": b"",
    "no tar archive": b"\x1f\x8b" + bytes(range(256)) * 8,
    "cut off within a header": GOOD[:700],
    "cut off within a file": GOOD[: 512 + 512 + 512 + 512 + 100],
    "cut off between two files": GOOD[: 512 + 512 + 512],
    "damaged header": GOOD[:515] + b"?" + GOOD[516:],
    "damaged size": GOOD[: 512 + 124] + b"zzz" + GOOD[512 + 127 :],
    "damaged extended header": archive(tarfile.PAX_FORMAT).replace(b" path=", b"?path=", 1),
}


@pytest.mark.parametrize("data", DAMAGED.values(), ids=DAMAGED)
def test_an_archive_that_is_not_whole_is_refused(tmp_path, data):
    path = saved(tmp_path, data)
    with pytest.raises(errors.UserError, match=r"archive.tar is not a complete tar archive: "):
        list(tar_index.index(path))


@pytest.mark.parametrize("size", [b"-0000001000", b"+0000000001", b"0_1", b"0o17", b"9"])
def test_a_size_that_leads_back_or_is_no_number_is_refused(tmp_path, size):
    block = bytearray(GOOD)
    block[512 + 124 : 512 + 136] = size.ljust(12, b"\0")
    block[512 + 148 : 512 + 156] = b" " * 8
    block[512 + 148 : 512 + 156] = b"%06o\0 " % sum(block[512:1024])
    with pytest.raises(errors.UserError, match="instead of a number"):
        list(tar_index.index(saved(tmp_path, bytes(block))))


@pytest.mark.parametrize("kind", [tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.GNUTYPE_SPARSE])
def test_a_file_that_is_not_in_the_archive_itself_is_not_left_out_in_silence(tmp_path, kind):
    data = header(b"a.JPEG", b"0", b"x") + header(b"b.JPEG", kind, b"") + bytes(1024)
    with pytest.raises(errors.UserError, match="at byte 1024 is a link or device, not a file"):
        list(tar_index.index(saved(tmp_path, data)))


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_header_of_a_gibibyte_is_refused_unread(tmp_path, kind):
    header = tarfile.TarInfo("a")
    header.type, header.size = kind, 1 << 30
    path = tmp_path / "archive.tar"
    with open(path, "wb") as file:
        file.write(header.tobuf(tarfile.GNU_FORMAT))
        file.truncate(512 + header.size + 1024)  # A hole, which takes no disk.
    with pytest.raises(errors.UserError, match="the header at byte 0 is too long"):
        list(tar_index.index(path))


@pytest.mark.parametrize("tenths", range(10))
def test_a_training_archive_cut_anywhere_is_refused(tmp_path, tenths):
    folder = fake_ilsvrc.challenge().write(tmp_path)
    path = folder / fake_ilsvrc.TRAIN
    size = path.stat().st_size
    os.truncate(path, size * tenths // 10)
    with pytest.raises(errors.UserError, match="not a complete tar archive"):
        list(tar_index.index_nested(path))


def header(name: bytes, kind: bytes, content: bytes) -> bytes:
    info = tarfile.TarInfo()
    info.type, info.size = kind, len(content)
    block = bytearray(info.tobuf(tarfile.USTAR_FORMAT))
    block[: len(name)] = name
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block) + content.ljust(-(-len(content) // 512) * 512, b"\0")


@pytest.mark.parametrize(
    "before",
    [header(b"@", b"L", b"a\0b\0"), header(b"@", b"x", b"12 path=a\0b\n")],
    ids=["gnu", "pax"],
)
def test_a_name_with_a_nul_is_refused(tmp_path, before):
    (tmp_path / "a.tar").write_bytes(before + header(b"c", b"0", b"1") + bytes(1024))
    with pytest.raises(errors.UserError, match="the name of the member at byte 1024 holds a NUL"):
        list(tar_index.index(tmp_path / "a.tar"))


@pytest.mark.parametrize("kind", [b"x", b"L"])
def test_headers_without_end_are_refused(tmp_path, kind):
    record = header(b"@", kind, b"8 k=abc\n")
    (tmp_path / "a.tar").write_bytes(record * 1000 + header(b"c", b"0", b"1") + bytes(1024))
    with pytest.raises(errors.UserError, match="has too many headers"):
        list(tar_index.index(tmp_path / "a.tar"))
