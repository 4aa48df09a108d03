"""Every kind and fault of a picture file under each policy, and what TensorFlow decodes it to."""

import csv
import io
import os
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from datasets import image_folder
from datasets.conversion import convert as conversion
from datasets.conversion import write
from datasets.conversion.settings import Conversion
from datasets.storage import tfrecords
from slim_internal.ground.compat import slim, tf
from slim_internal.ground.errors import UserError
from slim_internal.ground.images import prepare
from tests.datasets import fake_data

HEIGHT, WIDTH = 40, 60
PICTURE = fake_data.picture(np.random.RandomState(7), HEIGHT, WIDTH)
JPEG = fake_data.encoded(PICTURE, quality=95)
PNG = fake_data.encoded(PICTURE, "PNG")


def with_orientation(orientation: int, picture=PICTURE, image_format: str = "JPEG") -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return fake_data.encoded(picture, image_format, exif=exif)


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def claiming(width: int, height: int) -> dict[str, bytes]:
    """Returns files of about a kilobyte whose headers claim a huge picture."""
    start = JPEG.index(b"\xff\xc0")
    frame = struct.pack(">HH", height, width)
    jpeg = JPEG[: start + 5] + frame + JPEG[start + 9 :]
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header)
    png += png_chunk(b"IDAT", zlib.compress(bytes(1000))) + png_chunk(b"IEND", b"")
    return {"jpeg": jpeg, "png": png}


def ycck() -> bytes:
    """Returns a JPEG whose four components are YCbCr and black, as Photoshop writes them."""
    data = fake_data.encoded(PICTURE.convert("CMYK"))
    marker = data.index(b"Adobe")
    return data[: marker + 11] + b"\x02" + data[marker + 12 :]


def cut(data: bytes, share: float) -> bytes:
    return data[: int(len(data) * share)]


def short_stream(data: bytes) -> bytes:
    """Returns a PNG of one data chunk whose compressed stream lacks its own checksum."""
    start = data.index(b"IDAT") + 4
    end = start + int.from_bytes(data[start - 8 : start - 4])
    return data[: start - 8] + png_chunk(b"IDAT", data[start : end - 4]) + data[end + 4 :]


GRAY_16 = Image.fromarray(np.arange(HEIGHT * WIDTH, dtype=np.uint16).reshape(HEIGHT, WIDTH) * 20)
SKIPPED, REPAIRED = "skipped", "repaired"

# What is in the file -> what becomes of it: format and whether its bytes are kept...
ACCEPTED = {
    "jpeg": (JPEG, "jpg", True),
    "png": (PNG, "png", True),
    "progressive jpeg": (fake_data.encoded(PICTURE, progressive=True), "jpg", True),
    "greyscale jpeg": (fake_data.encoded(PICTURE.convert("L")), "jpg", True),
    "greyscale png": (fake_data.encoded(PICTURE.convert("L"), "PNG"), "png", True),
    "palette png": (fake_data.encoded(PICTURE.convert("P"), "PNG"), "png", True),
    "transparent png": (fake_data.encoded(PICTURE.convert("RGBA"), "PNG"), "png", True),
    "16-bit png": (fake_data.encoded(GRAY_16, "PNG"), "png", True),
    "jpeg with trailing garbage": (JPEG + b"garbage" * 99, "jpg", True),
    "png with trailing garbage": (PNG + b"garbage" * 99, "png", True),
    "cmyk jpeg": (fake_data.encoded(PICTURE.convert("CMYK")), "jpg", False),
    "ycck jpeg": (ycck(), "jpg", False),
    "gif": (fake_data.encoded(PICTURE, "GIF"), "png", False),
    "animated gif": (
        fake_data.encoded(PICTURE, "GIF", save_all=True, append_images=[PICTURE.rotate(90)]),
        "png",
        False,
    ),
    "bmp": (fake_data.encoded(PICTURE, "BMP"), "png", False),
    "webp": (fake_data.encoded(PICTURE, "WEBP"), "png", False),
    "turned jpeg": (with_orientation(6), "jpg", False),
    "upright jpeg with exif": (with_orientation(1), "jpg", True),
}
# ... or what makes it bad, and what `repair` does with it.
BAD = {
    "empty": (b"", "it is empty", SKIPPED),
    "text": (b"<html>404</html>", "not a JPEG", SKIPPED),
    "jpeg cut at 10 %": (cut(JPEG, 0.1), "cut off", SKIPPED),
    "jpeg cut at 50 %": (cut(JPEG, 0.5), "cut off", REPAIRED),
    "jpeg cut at 99 %": (cut(JPEG, 0.99), "cut off", REPAIRED),
    "jpeg without its last byte": (JPEG[:-1], "cut off", REPAIRED),
    "png cut at 50 %": (cut(PNG, 0.5), "cut off", REPAIRED),
    "png without its end": (PNG[:-12], "cut off", REPAIRED),
    "png without its last byte": (PNG[:-1], "cut off", REPAIRED),
    "png with a false checksum": (PNG[:-13] + b"?" + PNG[-12:], "is damaged", REPAIRED),
    "huge jpeg header": (claiming(65500, 65500)["jpeg"], "its header claims", SKIPPED),
    "png without the end of its stream": (short_stream(PNG), "data is cut off", REPAIRED),
    "too thin": (fake_data.encoded(PICTURE.resize((2000, 1))), "2000 x 1 pixels", SKIPPED),
    "huge png header": (claiming(65500, 65500)["png"], "its header claims", SKIPPED),
}


def convert(folder, data: bytes, policy: str, name: str = "a picture.jpeg"):
    """Converts a folder with one picture in question and five good ones."""
    for index in range(5):
        path = folder / f"source/class{index % 2}/{index}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(fake_data.encoded(PICTURE.rotate(index)))
    (folder / "source/class0" / name).write_bytes(data)
    return conversion.convert(
        Conversion(
            dataset_name="image_folder",
            dataset_dir=os.fspath(folder / "set"),
            source=os.fspath(folder / "source"),
            on_bad_image=policy,
            validation_fraction=0.0,
        )
    )


def stored(folder) -> dict[str, tf.train.Example]:
    examples = {}
    for path in (folder / "set").glob("*.tfrecord"):
        for record in tfrecords.read_records(path):
            example = tf.train.Example.FromString(record)
            name = example.features.feature["image/filename"].bytes_list.value[0]
            examples[os.fsdecode(name)] = example
    return examples


def decoded(example: tf.train.Example) -> np.ndarray:
    """Returns what the descriptor's own handler makes of an example."""
    with tf.Graph().as_default(), tf.Session() as session:
        decoder = slim.tfexample_decoder.TFExampleDecoder(
            image_folder.RECORD.keys_to_features, image_folder.RECORD.items_to_handlers
        )
        (image,) = decoder.decode(example.SerializeToString(), ["image"])
        return session.run(image)


@pytest.mark.parametrize("policy", ["error", "skip", "repair"])
@pytest.mark.parametrize("kind", ACCEPTED)
def test_good_pictures(kind, policy, tmp_path):
    data, stored_format, kept = ACCEPTED[kind]
    convert(tmp_path, data, policy)
    features = stored(tmp_path)["class0/a picture.jpeg"].features.feature
    encoded = features["image/encoded"].bytes_list.value[0]
    assert (encoded == data) == kept
    assert features["image/format"].bytes_list.value[0].decode() == stored_format
    pixels = decoded(stored(tmp_path)["class0/a picture.jpeg"])
    height, width = (features[f"image/{side}"].int64_list.value[0] for side in ("height", "width"))
    assert pixels.shape == (height, width, 3)
    assert (height, width) == ((WIDTH, HEIGHT) if kind == "turned jpeg" else (HEIGHT, WIDTH))
    assert not (tmp_path / "set" / write.REPORT).exists()


@pytest.mark.parametrize("policy", ["error", "skip", "repair"])
@pytest.mark.parametrize("kind", BAD)
def test_bad_pictures(kind, policy, tmp_path):
    data, fault, repair = BAD[kind]
    if policy == "error":
        with pytest.raises(UserError, match=rf"(?s)a picture\.jpeg' cannot be used: .*({fault})"):
            convert(tmp_path, data, policy)
        assert not (tmp_path / "set/manifest.json").exists()
        return
    convert(tmp_path, data, policy)
    action = repair if policy == "repair" else SKIPPED
    examples = stored(tmp_path)
    assert ("class0/a picture.jpeg" in examples) == (action == REPAIRED)
    assert len(examples) == 5 + (action == REPAIRED)
    if action == REPAIRED:
        assert decoded(examples["class0/a picture.jpeg"]).shape == (HEIGHT, WIDTH, 3)
    with open(tmp_path / "set" / write.REPORT, newline="") as report:
        _, row = csv.reader(report)
    assert (row[0], row[2]) == ("class0/a picture.jpeg", action)


@pytest.mark.parametrize("policy", ["error", "skip", "repair"])
def test_dark_images_of_16_bits_are_kept_and_pointed_out(policy, tmp_path):
    dark = Image.fromarray(np.asarray(GRAY_16) // 16)
    data = fake_data.encoded(dark, "PNG")
    outcome = convert(tmp_path, data, policy, "dark.png")
    features = stored(tmp_path)["class0/dark.png"].features.feature
    assert features["image/encoded"].bytes_list.value[0] == data
    assert "Kept but dubious: 1, listed in bad_images.csv" in outcome.summary(tmp_path / "set")
    assert "class0/dark.png,it is nearly black" in (tmp_path / "set" / write.REPORT).read_text()


@pytest.mark.parametrize("policy", ["error", "skip", "repair"])
def test_a_fifo_is_not_waited_for(policy, tmp_path):
    (tmp_path / "source/class1").mkdir(parents=True)
    os.mkfifo(tmp_path / "source/class1/pipe.jpg")
    if policy == "error":
        with pytest.raises(UserError, match=r"pipe\.jpg' cannot be used: it is not a regular file"):
            convert(tmp_path, JPEG, policy)
        return
    convert(tmp_path, JPEG, policy)
    assert "class1/pipe.jpg" not in stored(tmp_path)
    assert "class1/pipe.jpg,it is not a regular" in (tmp_path / "set" / write.REPORT).read_text()


@pytest.mark.parametrize("kind", ["cmyk jpeg", "gif", "bmp", "webp"])
def test_rewritten_pictures_look_the_same(kind):
    data, _, _ = ACCEPTED[kind]
    picture = prepare.prepare(data)
    before = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), dtype=float)
    after = np.asarray(Image.open(io.BytesIO(picture.encoded)).convert("RGB"), dtype=float)
    # PNG is exact; a second JPEG compression of smooth colours moves them by less than 2 levels.
    assert np.abs(before - after).mean() < (2 if picture.format == "jpg" else 1e-9)


def test_turned_picture_is_stored_upright():
    upright = prepare.prepare(with_orientation(6))
    pixels = np.asarray(Image.open(io.BytesIO(upright.encoded)), dtype=float)
    expected = np.asarray(PICTURE.rotate(-90, expand=True), dtype=float)
    assert np.abs(pixels - expected).mean() < 3
    assert prepare.prepare(with_orientation(6), prepare.PUBLISHED).encoded == with_orientation(6)


def test_rewriting_takes_16_bits_as_tensorflow_does():
    turned = prepare.prepare(with_orientation(6, GRAY_16, "PNG"))
    with tf.Graph().as_default(), tf.Session() as session:
        flat = tf.io.decode_png(fake_data.encoded(GRAY_16, "PNG"), channels=3)
        upright = tf.io.decode_png(turned.encoded, channels=3)
        before, after = session.run([flat, upright])
    assert np.ptp(before) > 100
    np.testing.assert_array_equal(after, np.rot90(before, -1))


# Run in a process that may have 64 MiB more than it has when all modules are loaded: argv[1] is an
# expression that is to refuse `data`, the standard input.
LITTLE_MEMORY = """
import pathlib, resource, sys
from PIL import Image
from datasets.converters.imagenet import worker
from slim_internal.ground.images import prepare
Image.init()
data = sys.stdin.buffer.read()
pages = int(pathlib.Path("/proc/self/statm").read_text().split()[0])
limit = pages * resource.getpagesize() + (64 << 20)
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
try:
    eval(sys.argv[1])
except prepare.BadImageError as error:
    print(error)
"""
READERS = {
    "folder": "prepare.prepare(data)",
    "folder repair": "prepare.repair(data)",
    "imagenet": "prepare.prepare(data, worker.HEADER_ONLY)",
    "imagenet decode": "prepare.decode_rgb(data)",
    "imagenet repair": "prepare.repair(data, worker.HEADER_ONLY)",
}


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs Linux to limit memory")
@pytest.mark.parametrize("kind", ["jpeg", "png"])
@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_huge_claim_gets_no_memory(reader, kind):
    data = claiming(65500, 65500)[kind]
    assert len(data) < 2000
    result = subprocess.run(
        [sys.executable, "-c", LITTLE_MEMORY, reader],
        input=data,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        check=True,
    )
    assert b"pixels" in result.stdout  # What refuses it are these, not the want of memory.


DIFFICULT_NAMES = ["ä ö.jpg", "line\nbreak.jpg", os.fsdecode(b"\xff\xfe.jpg")]


@pytest.mark.parametrize("policy", ["error", "skip", "repair"])
@pytest.mark.parametrize("name", DIFFICULT_NAMES)
def test_difficult_names_of_good_pictures(name, policy, tmp_path):
    convert(tmp_path, JPEG, policy, name)
    found = stored(tmp_path)[f"class0/{name}"].features.feature
    assert found["image/encoded"].bytes_list.value[0] == JPEG


@pytest.mark.parametrize("policy", ["error", "skip", "repair"])
@pytest.mark.parametrize("name", DIFFICULT_NAMES)
def test_difficult_names_of_bad_pictures(name, policy, tmp_path):
    if policy == "error":
        with pytest.raises(UserError) as caught:
            convert(tmp_path, b"", policy, name)
        assert repr(os.fspath(tmp_path / "source/class0" / name)) in str(caught.value)
        assert "\n" not in str(caught.value)
        return
    convert(tmp_path, b"", policy, name)
    with open(tmp_path / "set" / write.REPORT, newline="", errors="surrogateescape") as report:
        _, row = csv.reader(report)
    assert (row[0], row[2]) == (f"class0/{name}", SKIPPED)


def test_one_bad_picture_in_a_thousand(tmp_path):
    data = fake_data.encoded(PICTURE.resize((8, 8)))
    for index in range(999):
        path = tmp_path / f"source/class{index % 3}/{index:03d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (tmp_path / "source/class1/bad.jpg").write_bytes(data[:-9])
    outcome = conversion.convert(
        Conversion(
            dataset_name="image_folder",
            dataset_dir=os.fspath(tmp_path / "set"),
            source=os.fspath(tmp_path / "source"),
            on_bad_image="skip",
        )
    )
    assert sum(outcome.manifest.splits.values()) == 999
    assert "class1/bad.jpg,it is cut off" in (tmp_path / "set" / write.REPORT).read_text()
