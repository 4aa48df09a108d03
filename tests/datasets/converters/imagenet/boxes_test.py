"""The boxes of the annotation archive."""

import gzip
import tarfile

import pytest

from datasets import process_bounding_boxes
from datasets.converters.imagenet import boxes
from slim_internal.ground import errors
from tests.datasets.converters.imagenet import fake_ilsvrc
from tests.datasets.converters.imagenet.fake_ilsvrc import BOXES, ODD_BOXES, SYNSETS

XML = fake_ilsvrc.annotation("x_1", 100, 100, [(SYNSETS[0], 10, 20, 30, 40)])


def archive(tmp_path, files) -> str:
    path = tmp_path / BOXES
    path.write_bytes(fake_ilsvrc.tar(files, "gz"))
    return str(path)


@pytest.mark.parametrize("shuffle", [None, 1, 2])
def test_boxes_are_kept_and_dropped_by_the_rules_in_any_order(tmp_path, shuffle):
    folder = fake_ilsvrc.challenge().write(tmp_path, shuffle)

    text = boxes.archive_csv(folder / BOXES, SYNSETS)

    lines = text.splitlines()
    assert len(lines) == 26  # 30, without an empty one, one outside and two of other synsets.
    assert lines == sorted(lines)
    for (synset, index), (_, kept) in ODD_BOXES.items():
        name = fake_ilsvrc.train_name(synset, index)
        assert [line for line in lines if line.startswith(name)] == [f"{name},{kept[0]}"]
    assert len(process_bounding_boxes.parse_csv(lines)) == 26


def test_synsets_outside_the_challenge_are_not_read(tmp_path):
    path = archive(tmp_path, {"Annotation/n00000001/n00000001_1.xml": b"not even XML"})
    assert boxes.archive_csv(path, SYNSETS) == ""


def test_folders_above_the_synset_do_not_matter(tmp_path):
    path = archive(tmp_path, {f"./Annotation/{SYNSETS[0]}/x_1.xml": XML.encode()})
    assert boxes.archive_csv(path, SYNSETS) == "x_1.JPEG,0.1000,0.2000,0.3000,0.4000\n"


def test_boxes_of_one_picture_keep_their_order(tmp_path):
    both = [(SYNSETS[0], 50, 50, 60, 60), (SYNSETS[0], 10, 10, 20, 20)]
    xml = fake_ilsvrc.annotation("x_1", 100, 100, both)
    text = boxes.archive_csv(archive(tmp_path, {f"{SYNSETS[0]}/x_1.xml": xml.encode()}), SYNSETS)
    found = process_bounding_boxes.parse_csv(text.splitlines())
    assert found == {"x_1.JPEG": ((0.5, 0.5, 0.6, 0.6), (0.1, 0.1, 0.2, 0.2))}


FAULTS = {
    "no XML": ("<annotation>", "x_1.xml cannot be parsed"),
    "no size": (XML.replace("width", "depth"), "x_1.xml has a box without four corners"),
    "size of zero": (XML.replace("<width>100", "<width>0"), "in an image of known size"),
    "no ymax": (XML.replace("ymax", "zmax"), "x_1.xml has a box without four corners"),
    "words": (XML.replace("<xmin>10", "<xmin>ten"), "x_1.xml has a box without four corners"),
}


@pytest.mark.parametrize(("xml", "message"), FAULTS.values(), ids=FAULTS)
def test_a_faulty_annotation_is_named(tmp_path, xml, message):
    path = archive(tmp_path, {f"{SYNSETS[0]}/x_1.xml": xml.encode()})
    with pytest.raises(errors.UserError, match=f"{BOXES}: {SYNSETS[0]}/{message}|{message}"):
        boxes.archive_csv(path, SYNSETS)


def test_an_archive_without_annotations_is_refused(tmp_path):
    with pytest.raises(errors.UserError, match="holds no annotations"):
        boxes.archive_csv(archive(tmp_path, {"readme.txt": b"x"}), SYNSETS)


@pytest.mark.parametrize("tenths", range(10))
def test_an_archive_that_is_cut_off_is_refused(tmp_path, tenths):
    path = fake_ilsvrc.challenge().write(tmp_path) / BOXES
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * tenths // 10])
    with pytest.raises(errors.UserError, match="cannot be read to its end"):
        boxes.archive_csv(path, SYNSETS)


@pytest.mark.parametrize("kind", ["XHDTYPE", "XGLTYPE", "GNUTYPE_LONGNAME"])
def test_a_header_of_a_gibibyte_is_refused_unread(tmp_path, kind):
    header = tarfile.TarInfo("a")
    header.type, header.size = getattr(tarfile, kind), 1 << 30
    (tmp_path / BOXES).write_bytes(gzip.compress(header.tobuf(tarfile.GNU_FORMAT)))
    with pytest.raises(errors.UserError, match=f"{BOXES} cannot be read: .* header.* too long"):
        boxes.archive_csv(tmp_path / BOXES, SYNSETS)


def test_an_archive_whose_headers_make_no_sense_is_refused(tmp_path):
    path = tmp_path / BOXES
    with tarfile.open(path, "w:gz") as tar:
        header = tarfile.TarInfo("a")
        header.pax_headers = {"GNU.sparse.map": "1,x"}
        tar.addfile(header)
    with pytest.raises(errors.UserError, match="cannot be read to its end"):
        boxes.archive_csv(path, SYNSETS)
