"""A small challenge in the layout of the official archives, made from seeded pictures.

20 synsets with 15 training pictures each, 40 validation pictures, and 30 boxes, odd ones among
them. The archives hold what the official ones hold: a tar of class tars, a flat tar, the
development kit with `meta.mat` and the ground truth, and XML annotations.
"""

import dataclasses
import functools
import io
import pathlib
import random
import struct
import tarfile
from collections.abc import Iterable, Mapping

import numpy as np
import scipy.io
from PIL import Image

from datasets import imagenet_classes

NUM_SYNSETS = 20
TRAIN_PER_SYNSET = 15
NUM_TRAIN = NUM_SYNSETS * TRAIN_PER_SYNSET
NUM_VALIDATION = 40

# Every 50th class, so that a label is not the position among the classes of the fake.
SYNSETS = [entry.wordnet_id for entry in imagenet_classes.classes()[49::50]]

DEVKIT = "ILSVRC2012_devkit_t12.tar.gz"
BOXES = "ILSVRC2012_bbox_train_v2.tar.gz"
VALIDATION = "ILSVRC2012_img_val.tar"
TRAIN = "ILSVRC2012_img_train.tar"


@functools.cache
def picture(seed: int, height: int = 24, width: int = 32) -> Image.Image:
    """Returns a picture of coloured blotches."""
    blotches = np.random.RandomState(seed).randint(0, 256, (4, 4, 3)).astype(np.uint8)
    return Image.fromarray(blotches).resize((width, height), Image.Resampling.BICUBIC)


def encode(image: Image.Image, kind: str = "JPEG", **options) -> bytes:
    """Returns the bytes of a picture file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@functools.cache
def jpeg(seed: int) -> bytes:
    """Returns a JPEG whose size depends on the seed."""
    return encode(picture(seed, 20 + seed % 7, 30 + seed % 11))


def huge_header() -> bytes:
    """Returns a JPEG of 1 kB whose header claims 65,500 x 65,500 pixels."""
    data = encode(picture(1))
    frame = data.index(b"\xff\xc0") + 5
    data = data[:frame] + struct.pack(">HH", 65500, 65500) + data[frame + 4 :]
    return data[:1022] + b"\xff\xd9"


def train_name(synset: str, index: int) -> str:
    """Returns the file name of a training picture; the numbers have gaps, as the real ones."""
    return f"{synset}_{7 * index + 3}.JPEG"


def validation_name(number: int) -> str:
    """Returns the file name of a validation picture, counted from 1."""
    return f"ILSVRC2012_val_{number:08d}.JPEG"


@dataclasses.dataclass
class Challenge:
    """The contents of the archives; change them before `write`.

    Attributes:
      train: Synset -> file name -> picture.
      validation: File name -> picture.
      truth: The synset of each validation picture, in the order of their numbers.
      annotations: (synset, name without extension) -> XML.
    """

    train: dict[str, dict[str, bytes]]
    validation: dict[str, bytes]
    truth: list[str]
    annotations: dict[tuple[str, str], str]

    def write(self, folder: pathlib.Path, shuffle: int | None = None) -> pathlib.Path:
        """Writes the archives into a folder, their members in another order if asked for."""
        folder.mkdir(parents=True, exist_ok=True)
        inner = {f"{name}.tar": tar(_order(files, shuffle)) for name, files in self.train.items()}
        (folder / TRAIN).write_bytes(tar(_order(inner, shuffle)))
        (folder / VALIDATION).write_bytes(tar(_order(self.validation, shuffle)))
        (folder / DEVKIT).write_bytes(tar(devkit(self.truth), "gz"))
        annotations = {
            f"{synset}/{name}.xml": text.encode()
            for (synset, name), text in self.annotations.items()
        }
        (folder / BOXES).write_bytes(tar(_order(annotations, shuffle), "gz"))
        return folder

    def write_folders(self, folder: pathlib.Path) -> pathlib.Path:
        """Writes the same pictures unpacked, validation sorted into synsets."""
        for synset, files in self.train.items():
            write_files(folder / "train" / synset, files)
        for synset, (name, data) in zip(self.truth, self.validation.items(), strict=True):
            write_files(folder / "validation" / synset, {name: data})
        return folder


def write_files(folder: pathlib.Path, files: Mapping[str, bytes]) -> None:
    """Writes some files into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)


def challenge() -> Challenge:
    """Returns the challenge as it should be."""
    train = {
        synset: {
            train_name(synset, index): jpeg(100 * position + index)
            for index in range(TRAIN_PER_SYNSET)
        }
        for position, synset in enumerate(SYNSETS)
    }
    validation = {
        validation_name(number): jpeg(5000 + number) for number in range(1, NUM_VALIDATION + 1)
    }
    truth = [random.Random(number).choice(SYNSETS) for number in range(NUM_VALIDATION)]
    return Challenge(train, validation, truth, _annotations())


def _annotations() -> dict[tuple[str, str], str]:
    """Returns 30 boxes in 26 files: 22 plain ones and the odd ones of `ODD_BOXES`."""
    annotations = {}
    for position in range(22):
        synset, index = SYNSETS[position % NUM_SYNSETS], position // NUM_SYNSETS
        name = train_name(synset, index).removesuffix(".JPEG")
        box = (synset, position, 10 + position, 100 + position, 90)
        annotations[synset, name] = annotation(name, 200, 100, [box])
    for (synset, index), (boxes, _) in ODD_BOXES.items():
        name = train_name(synset, index).removesuffix(".JPEG")
        annotations[synset, name] = annotation(name, 200, 100, boxes)
    return annotations


# (synset, index of the picture) -> boxes (name, xmin, ymin, xmax, ymax) of its annotation in a
# picture of 200 x 100 pixels, and the boxes that are kept, as in the CSV file.
ODD_BOXES = {
    (SYNSETS[0], 10): (
        [(SYNSETS[0], 160, 70, 40, 30), (SYNSETS[0], 250, 10, 280, 20)],  # Swapped; outside.
        ["0.2000,0.3000,0.8000,0.7000"],
    ),
    (SYNSETS[1], 10): (
        [(SYNSETS[1], -1, 10, 50, 130), (SYNSETS[2], 10, 10, 20, 20)],  # -1; another synset.
        ["0.0000,0.1000,0.2500,1.0000"],
    ),
    (SYNSETS[2], 10): (
        [(SYNSETS[3], 0, 0, 100, 50), (SYNSETS[2], 10, 10, 20, 20)],  # Another synset first.
        ["0.0500,0.1000,0.1000,0.2000"],
    ),
    (SYNSETS[3], 10): (
        [("Scottish_deerhound", 0, 0, 100, 50), (SYNSETS[3], 10, 10, 10, 20)],  # A dog; no width.
        ["0.0000,0.0000,0.5000,0.5000"],
    ),
}


def annotation(name: str, width: int, height: int, boxes: Iterable[tuple]) -> str:
    """Returns the XML of an annotation."""
    objects = "".join(
        f"<object><name>{label}</name><bndbox><xmin>{xmin}</xmin><ymin>{ymin}</ymin>"
        f"<xmax>{xmax}</xmax><ymax>{ymax}</ymax></bndbox></object>"
        for label, xmin, ymin, xmax, ymax in boxes
    )
    size = f"<size><width>{width}</width><height>{height}</height><depth>3</depth></size>"
    return f"<annotation><filename>{name}</filename>{size}{objects}</annotation>"


def devkit(truth: Iterable[str]) -> dict[str, bytes]:
    """Returns the files of the development kit; its class numbers run against the WordNet ids."""
    numbers = {synset: number for number, synset in enumerate(reversed(SYNSETS), start=1)}
    fields = ("ILSVRC2012_ID", "WNID", "words", "gloss", "num_children", "children")
    synsets = np.zeros((NUM_SYNSETS + 2, 1), dtype=[(field, object) for field in fields])
    for synset, number in numbers.items():
        synsets[number - 1, 0] = (number, synset, "some words", "a gloss", 0, np.zeros((0, 0)))
    # Inner nodes of the hierarchy, which the real file has as well.
    for extra in range(2):
        number = NUM_SYNSETS + 1 + extra
        inner = (number, f"n0000000{extra}", "inner", "a gloss", 2, np.array([1, 2]))
        synsets[number - 1, 0] = inner
    meta = io.BytesIO()
    scipy.io.savemat(meta, {"synsets": synsets})
    lines = "".join(f"{numbers[synset]}\n" for synset in truth)
    return {
        "ILSVRC2012_devkit_t12/readme.txt": b"A kit.",
        "ILSVRC2012_devkit_t12/data/meta.mat": meta.getvalue(),
        "ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt": lines.encode(),
    }


def tar(files: Mapping[str, bytes], compression: str = "") -> bytes:
    """Returns a tar archive."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=f"w:{compression}") as archive:
        for name, data in files.items():
            header = tarfile.TarInfo(name)
            header.size = len(data)
            archive.addfile(header, io.BytesIO(data))
    return buffer.getvalue()


def _order(files: Mapping[str, bytes], shuffle: int | None) -> dict[str, bytes]:
    names = list(files)
    if shuffle is not None:
        random.Random(shuffle).shuffle(names)
    return {name: files[name] for name in names}
