"""Measures the conversion of ImageNet against its two yardsticks, on this machine, in one run.

    bazel run //tools/benchmarks:imagenet_conversion_benchmark

makes a tar archive of images of ImageNet's size (500 x 375 pixels, about 110 kB) and takes turns
at converting it, copying it as it is, and decoding its images one by one as the original
converter did; what the original did besides, writing records, does not count against it. Then come
the memory of the workers and the time to index a large archive.
"""

import concurrent.futures
import dataclasses
import io
import json
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time

import numpy as np
from absl import app, flags
from PIL import Image

from datasets import imagenet_classes
from datasets.conversion import write
from datasets.converters.imagenet import convert, inventory, tar_index
from datasets.converters.imagenet.settings import Options
from datasets.converters.imagenet.source import Source

FLAGS = flags.FLAGS

flags.DEFINE_integer("images", 20_000, "Images to convert and to copy.")
flags.DEFINE_integer("few_images", 1_000, "Images to decode, and to compare memory with.")
flags.DEFINE_integer("members", 100_000, "Members of the archive to index.")
flags.DEFINE_integer("rounds", 3, "Times to measure the rates; the median ratio counts.")
flags.DEFINE_integer("workers", os.cpu_count(), "Worker processes, and threads that decode.")
flags.DEFINE_string("directory", None, "Where to work; decides the disk. Default: temporary.")

_HEIGHT, _WIDTH = 375, 500
_KILOBYTES = 110
_DIFFERENT_IMAGES = 20
_IMAGES_PER_SHARD = 1250  # About as many as in one of the 1,024 shards of ImageNet.


@dataclasses.dataclass(frozen=True)
class Conversion:
    """What a conversion took: seconds, and the largest resident memory in MiB."""

    seconds: float
    parent_mib: float
    worker_mib: float


def make_images() -> list[bytes]:
    """Returns some JPEG images of the usual size in pixels and bytes."""
    random = np.random.RandomState(0)
    images = []
    for _ in range(_DIFFERENT_IMAGES):
        coarse = random.randint(0, 256, (_HEIGHT // 8, _WIDTH // 8, 3)).astype(np.uint8)
        smooth = np.asarray(Image.fromarray(coarse).resize((_WIDTH, _HEIGHT)), dtype=np.int16)
        grain = random.randint(-14, 15, smooth.shape)
        pixels = Image.fromarray(np.clip(smooth + grain, 0, 255).astype(np.uint8))
        # The quality that comes nearest to the size of ImageNet's images.
        sizes = {}
        for quality in range(60, 100, 2):
            buffer = io.BytesIO()
            pixels.save(buffer, "JPEG", quality=quality)
            sizes[abs(buffer.tell() - 1000 * _KILOBYTES)] = buffer.getvalue()
        images.append(sizes[min(sizes)])
    return images


def make_archive(path: pathlib.Path, contents: list[bytes], count: int) -> None:
    """Writes a tar archive of `count` files with these contents in turn."""
    with tarfile.open(path, "w") as archive:
        for index in range(count):
            data = contents[index % len(contents)]
            header = tarfile.TarInfo(f"ILSVRC2012_val_{index:08d}.JPEG")
            header.size = len(data)
            archive.addfile(header, io.BytesIO(data))


def list_sources(archive: str) -> list[Source]:
    """Returns the images of an archive, with a label and a box each."""
    shows = imagenet_classes.classes()[0]
    return [
        Source(archive, member.offset, member.size, member.name, shows, ((0.1, 0.2, 0.5, 0.75),))
        for member in tar_index.index(archive)
    ]


def measure_conversion(archive: str, output: str, workers: int) -> Conversion:
    """Indexes and converts an archive; run in a process of its own for the sake of its memory."""
    start = time.perf_counter()
    sources = list_sources(archive)
    shards = max(4 * workers, len(sources) // _IMAGES_PER_SHARD)
    found = inventory.Inventory(splits={"validation": sources}, class_names=("background", "tench"))
    options = Options(output_directory=output, validation_shards=shards)
    write.build(output, convert.plan_inventory(found, options), num_workers=workers)
    return Conversion(
        seconds=time.perf_counter() - start,
        parent_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        worker_mib=resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024,
    )


# The measured process; a worker that it starts does not load this file.
_MEASURE = """
import dataclasses, json, sys
sys.path.insert(0, sys.argv.pop(1))
import imagenet_conversion_benchmark as benchmark
archive, output, workers = sys.argv[1:]
result = benchmark.measure_conversion(archive, output, int(workers))
print(json.dumps(dataclasses.asdict(result)))
"""


def run_conversion(archive: pathlib.Path, output: pathlib.Path, workers: int) -> Conversion:
    """Measures a conversion in a new process and removes what it wrote."""
    os.sync()
    folder = os.path.dirname(os.path.abspath(__file__))
    result = subprocess.run(
        [sys.executable, "-c", _MEASURE, folder, archive, output, str(workers)],
        check=True,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    shutil.rmtree(output)
    return Conversion(**json.loads(result.stdout))


def time_copy(archive: pathlib.Path) -> float:
    """Returns the seconds that a plain copy of the archive to the same disk takes."""
    os.sync()
    copy = archive.with_suffix(".copy")
    start = time.perf_counter()
    shutil.copyfile(archive, copy)
    seconds = time.perf_counter() - start
    copy.unlink()
    return seconds


class Decoder:
    """Decodes images as the original converter does: a session run for each, in threads."""

    def __init__(self, sources: list[Source]):
        from slim_internal.ground.compat import tf

        self._sources = sources
        self._encoded = tf.placeholder(tf.string)
        self._pixels = tf.image.decode_jpeg(self._encoded, channels=3)
        self._session = tf.Session(
            config=tf.ConfigProto(inter_op_parallelism_threads=FLAGS.workers)
        )

    def seconds(self) -> float:
        """Returns the seconds that decoding all images takes, reading them included."""
        start = time.perf_counter()
        with concurrent.futures.ThreadPoolExecutor(FLAGS.workers) as threads:
            list(threads.map(self._decode, self._sources))
        return time.perf_counter() - start

    def _decode(self, source: Source) -> None:
        self._session.run(self._pixels, {self._encoded: source.read()})


def verdict(what: str, value: float, bound: str, limit: float, unit: str) -> str:
    """Returns a line that compares a number with its target."""
    reached = value >= limit if bound == "at least" else value < limit
    return f"{what:<58}{value:10.2f} {unit:<4} {bound} {limit:g}: {'yes' if reached else 'NO'}"


def measure_rates(many: pathlib.Path, few: pathlib.Path) -> tuple[list, list, list]:
    """Takes turns at converting, copying and decoding.

    The conversion's rate is that of the images by which the two archives differ: starting the
    processes takes a second, which counts for nothing in the minutes that ImageNet takes.

    Returns:
      [converted, copied, decoded] images per second of each round, and what each conversion of
      many and of few images took.
    """
    decoder = Decoder(list_sources(os.fspath(few)))
    decoder.seconds()  # The first runs of a session are slow.
    larges, smalls, rates = [], [], []
    for _ in range(FLAGS.rounds):
        copied = time_copy(many)
        larges.append(run_conversion(many, many.with_suffix(".out"), FLAGS.workers))
        smalls.append(run_conversion(few, few.with_suffix(".out"), FLAGS.workers))
        more = larges[-1].seconds - smalls[-1].seconds
        rates.append(
            [
                (FLAGS.images - FLAGS.few_images) / more,
                FLAGS.images / copied,
                FLAGS.few_images / decoder.seconds(),
            ]
        )
        print("  converted {:8.0f}   copied {:8.0f}   decoded {:8.0f}".format(*rates[-1]))
    return rates, larges, smalls


def time_indexing(path: pathlib.Path) -> float:
    """Returns the seconds that indexing a large archive takes."""
    make_archive(path, [bytes(700)], FLAGS.members)
    start = time.perf_counter()
    count = sum(1 for _ in tar_index.index(path))
    seconds = time.perf_counter() - start
    assert count == FLAGS.members
    return seconds


def run(folder: pathlib.Path) -> None:
    """Measures everything and prints the results."""
    images = make_images()
    many, few = folder / "many.tar", folder / "few.tar"
    make_archive(many, images, FLAGS.images)
    make_archive(few, images, FLAGS.few_images)
    size = sum(map(len, images)) / len(images) / 1000
    print(f"{FLAGS.images} images of {size:.0f} kB, {FLAGS.workers} workers; images/s:")
    rates, larges, smalls = measure_rates(many, few)
    many.unlink()
    index_seconds = time_indexing(folder / "members.tar")

    ratios = np.median([[made / copied, made / decoded] for made, copied, decoded in rates], axis=0)
    whole = np.median(
        [
            [FLAGS.images / large.seconds / copied, FLAGS.images / large.seconds / decoded]
            for large, (_, copied, decoded) in zip(larges, rates, strict=True)
        ],
        axis=0,
    )
    worker_mib = max(large.worker_mib for large in larges)
    growth = worker_mib - min(small.worker_mib for small in smalls)
    parent_mib = max(large.parent_mib for large in larges)
    parent_growth = parent_mib - min(small.parent_mib for small in smalls)
    growing = f"its growth from {FLAGS.few_images} to {FLAGS.images} images"
    print(verdict("as fast as decoding each image", ratios[1], "at least", 8, "x"))
    print(verdict("as fast as a plain copy", ratios[0], "at least", 0.5, "x"))
    print(f"  with the start of its processes: {whole[1]:.2f} x decoding, {whole[0]:.2f} x copying")
    print(verdict("peak memory of a worker", worker_mib, "under", 700, "MiB"))
    print(verdict(growing, growth, "under", 50, "MiB"))
    print(verdict("the same of the supervising process", parent_growth, "under", 50, "MiB"))
    print(verdict(f"indexing {FLAGS.members} members", index_seconds, "under", 5, "s"))


def main(_):
    """Measures in a temporary folder."""
    with tempfile.TemporaryDirectory(dir=FLAGS.directory) as folder:
        run(pathlib.Path(folder))


if __name__ == "__main__":
    app.run(main)
