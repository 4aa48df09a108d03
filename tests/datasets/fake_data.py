"""Small archives in the official format of each dataset, filled with noise from a seed.

source = fake_data.make("flowers", folder)
conversion.convert(Conversion(dataset_name="flowers", **source.options, ...))
"""

import dataclasses
import gzip
import io
import json
import pathlib
import struct
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import sklearn.datasets
from PIL import Image


@dataclasses.dataclass(frozen=True)
class Source:
    """What a generator made.

    Attributes:
      folder: Where the archives are.
      splits: Split -> label of each example that a conversion must write, in any order.
      pictures: Split -> what each of these examples must hold, in the same order: pixels, or the
        bytes of the file where they are to be kept. Empty where a conversion may change them.
      options: Fields of `Conversion` that the conversion needs.
    """

    folder: pathlib.Path
    splits: Mapping[str, list[int]]
    pictures: Mapping[str, list[np.ndarray | bytes]] = dataclasses.field(default_factory=dict)
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def picture(random: np.random.RandomState, height: int, width: int, channels: int = 3) -> Image:
    """Returns a picture of smooth noise, which survives JPEG."""
    coarse = random.randint(0, 256, (4, 4, channels), dtype=np.uint8)
    image = Image.fromarray(coarse.squeeze())
    return image.resize((width, height), Image.Resampling.BICUBIC)


def encoded(image: Image, image_format: str = "JPEG", **options) -> bytes:
    """Returns the bytes of a picture file."""
    buffer = io.BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()


def make_mnist(folder: pathlib.Path) -> Source:
    """Makes the four idx files."""
    random, splits, pictures = np.random.RandomState(1), {}, {}
    for split, prefix, count in (("train", "train", 60), ("test", "t10k", 20)):
        images = random.randint(0, 256, (count, 28, 28), dtype=np.uint8)
        labels = random.randint(0, 10, count, dtype=np.uint8)
        splits[split], pictures[split] = labels.tolist(), list(images)
        for kind, magic, array in (("images-idx3", 0x803, images), ("labels-idx1", 0x801, labels)):
            header = struct.pack(f">{1 + array.ndim}I", magic, *array.shape)
            path = folder / f"{prefix}-{kind}-ubyte.gz"
            path.write_bytes(gzip.compress(header + array.tobytes(), mtime=0))
    return Source(folder, splits, pictures, {"archive_checksums": "off"})


def add_to_tar(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    """Adds a file to an archive."""
    member = tarfile.TarInfo(name)
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))


def make_cifar10(folder: pathlib.Path) -> Source:
    """Makes the binary archive: in each file, rows of a label and three planes."""
    random = np.random.RandomState(2)
    splits, pictures = {"train": [], "test": []}, {"train": [], "test": []}
    names = [f"data_batch_{number}.bin" for number in range(1, 6)] + ["test_batch.bin"]
    with tarfile.open(folder / "cifar-10-binary.tar.gz", "w:gz") as tar:
        for name in names:
            rows = random.randint(0, 256, (8, 3073), dtype=np.uint8)
            rows[:, 0] %= 10
            split = "test" if name == names[-1] else "train"
            splits[split] += rows[:, 0].tolist()
            # Red, green and blue planes, one after the other.
            pictures[split] += [np.dstack(np.split(row[1:], 3)).reshape(32, 32, 3) for row in rows]
            add_to_tar(tar, f"cifar-10-batches-bin/{name}", rows.tobytes())
    return Source(folder, splits, pictures, {"archive_checksums": "off"})


def make_flowers(folder: pathlib.Path, *, listing_seed: int = 0) -> Source:
    """Makes flower_photos.tgz with 372 pictures, of which 350 become the validation split.

    Args:
      folder: Where to put it.
      listing_seed: Order of the members, which must not matter.
    """
    random = np.random.RandomState(3)
    classes = ("daisy", "dandelion", "roses", "sunflowers", "tulips")
    members = {"flower_photos/LICENSE.txt": b"none"}
    for index in range(372):
        name = f"flower_photos/{classes[index % 5]}/{1000 + index}_n.jpg"
        members[name] = encoded(picture(random, 12 + index % 3, 16))
    names = np.random.RandomState(listing_seed).permutation(sorted(members))
    with tarfile.open(folder / "flower_photos.tgz", "w:gz") as tar:
        for name in names:
            add_to_tar(tar, str(name), members[name])
    pictures = {name: data for name, data in members.items() if name.endswith(".jpg")}
    labels = [classes.index(name.split("/")[1]) for name in pictures]
    return Source(
        folder,
        {"train+validation": labels},
        {"train+validation": list(pictures.values())},
        {"archive_checksums": "off"},
    )


def make_visualwakewords(folder: pathlib.Path) -> Source:
    """Makes the three zip archives of COCO 2014; every third picture has a large enough person."""
    random, splits, kept = np.random.RandomState(4), {}, {"train": [], "val": []}
    categories = [
        {"id": 1, "name": "person", "supercategory": "person"},
        {"id": 18, "name": "dog", "supercategory": "animal"},
    ]
    with zipfile.ZipFile(folder / "annotations_trainval2014.zip", "w") as annotations:
        for split, count in (("train", 130), ("val", 25)):
            images, objects = [], []
            with zipfile.ZipFile(folder / f"{split}2014.zip", "w") as pictures:
                for index in range(count):
                    name = f"COCO_{split}2014_{index:012d}.jpg"
                    images.append({"id": index + 1, "file_name": name, "height": 20, "width": 40})
                    kept[split].append(encoded(picture(random, 20, 40)))
                    pictures.writestr(f"{split}2014/{name}", kept[split][-1])
                    objects.append(
                        {
                            "id": index,
                            "image_id": index + 1,
                            "category_id": 18 if index % 3 == 1 else 1,
                            "area": 100.0 if index % 3 == 0 else 3.0,
                            "bbox": [4, 5, 10.0, 10.0],
                        }
                    )
            content = {"images": images, "annotations": objects, "categories": categories}
            name = f"annotations/instances_{split}2014.json"
            annotations.writestr(name, json.dumps(content))
            splits[split] = [int(index % 3 == 0) for index in range(count)]
    return Source(folder, splits, kept, {"archive_checksums": "off"})


def make_digits(folder: pathlib.Path) -> Source:
    """Makes nothing: the pictures are installed."""
    data = sklearn.datasets.load_digits()
    pictures = [np.round(image * 255 / 16).astype(np.uint8) for image in data.images]
    return Source(
        folder, {"train+validation": data.target.tolist()}, {"train+validation": pictures}
    )


def make_image_folder(folder: pathlib.Path) -> Source:
    """Makes three classes of pictures in every format, nested, with difficult names."""
    random = np.random.RandomState(5)
    formats = ("JPEG", "PNG", "GIF", "BMP", "WEBP")
    for label, name in enumerate(("ant", "bee", "çat")):
        for index in range(10):
            deep = folder / name / ("deep/er" if index % 2 else "")
            deep.mkdir(parents=True, exist_ok=True)
            kind = formats[index % len(formats)]
            path = deep / f"{label} nr\n{index}.{kind.lower()}"
            path.write_bytes(encoded(picture(random, 10 + index, 20), kind))
    labels = [label for label in range(3) for _ in range(10)]
    return Source(folder, {"train+validation": labels})


GENERATORS: Mapping[str, Callable[[pathlib.Path], Source]] = {
    "cifar10": make_cifar10,
    "digits": make_digits,
    "flowers": make_flowers,
    "image_folder": make_image_folder,
    "mnist": make_mnist,
    "visualwakewords": make_visualwakewords,
}


def make(name: str, folder: pathlib.Path) -> Source:
    """Makes the archives of one dataset in a folder, which is made too."""
    folder.mkdir(parents=True, exist_ok=True)
    return GENERATORS[name](folder)
