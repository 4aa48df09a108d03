"""Writes docs/scale.md: what 8, 64 and 512 workers need, from sizes and from what was measured.

    tools/bazel run //tools:scale            # prints the page
    tools/bazel run //tools:scale -- --fix   # writes it

Everything is arithmetic on the numbers of parameters in docs/networks.md and on the constants
below; nothing of it has been tried on that many workers.
"""

import os
import pathlib
import re
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence

PAGE = "docs/scale.md"
NETWORKS = "docs/networks.md"

WORKERS = (8, 64, 512)
# Network -> (images per step of a worker, images a second of a training step), measured with this
# library on one H100 in float32, images of noise that lie on the GPU.
MEASURED = {
    "mobilenet_v2": (256, 1551),
    "inception_v3": (128, 1119),
    "resnet_v1_50": (128, 1884),
    "vgg_16": (64, 1197),
}
LINKS = {"10 Gbit/s": 1.25e9, "100 Gbit/s": 12.5e9, "400 Gbit/s": 50e9}  # Bytes a second.
DISKS = {"hard disk, 150 MB/s": 150e6, "SSD, 500 MB/s": 500e6, "NVMe, 2 GB/s": 2e9}

# ImageNet as download_and_preprocess_imagenet writes it.
EXAMPLES, SHARDS, RECORD_BYTES = 1_281_167, 1024, 115_000
# Processor time of one image of 500 x 375 pixels on this machine, other work beside it.
IMAGE_SECONDS = {"Inception": 2080e-6, "VGG": 1770e-6}
_PREPROCESSING = {"resnet_v1_50": "VGG", "vgg_16": "VGG"}
WINDOW_BYTES, WINDOWS = 128 << 20, 3  # See parts/input_pipeline/order.py.
RESUMED_STEP, RESUMED_NETWORK = 100_000, "resnet_v1_50"
COUNTING_SECONDS = 0.3  # Measured: `order._places` over all records of ImageNet.

_ROW = re.compile(r"^\| (\w+) \| \d+ \| \d+ \| ([\d,]+) \|", re.MULTILINE)


def parameters(table: str) -> dict[str, int]:
    """Returns network -> number of parameters, of the page of networks."""
    return {name: int(count.replace(",", "")) for name, count in _ROW.findall(table)}


def all_reduce_bytes(size: int, workers: int) -> float:
    """Returns what a worker sends and receives in a ring that adds up `size` bytes."""
    return 2 * (workers - 1) / workers * size


def _paragraph(text: str) -> list[str]:
    return [*textwrap.wrap(text, 100, break_long_words=False, break_on_hyphens=False), ""]


def _seconds(value: float) -> str:
    return f"{1000 * value:,.1f} ms" if value < 1 else f"{value:,.1f} s"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"| --- |{' --: |' * (len(heads) - 1)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _gradients(counts: Mapping[str, int]) -> Iterator[str]:
    """Yields how long gradients travel beside how long they take to compute."""
    heads = ["network", "gradients", "a step alone"]
    heads += [f"{workers} workers, {link}" for workers in WORKERS for link in LINKS]
    rows = []
    for name, (batch, rate) in MEASURED.items():
        step = batch / rate
        row = [name, f"{4 * counts[name] / 1e6:,.0f} MB", _seconds(step)]
        for workers in WORKERS:
            for speed in LINKS.values():
                exchange = all_reduce_bytes(4 * counts[name], workers) / speed
                row.append(f"{100 * step / (step + exchange):.0f} %")
        rows.append(row)
    yield from _table(heads, rows)


def _exchanges(counts: Mapping[str, int]) -> Iterator[str]:
    """Yields how long the gradients of each network travel."""
    rows = []
    for name, count in counts.items():
        row = [name, f"{4 * count / 1e6:,.1f} MB"]
        for speed in LINKS.values():
            times = (1000 * all_reduce_bytes(4 * count, n) / speed for n in WORKERS)
            row.append(" / ".join(f"{time:,.1f}" for time in times))
        rows.append(row)
    yield from _table(["network", "gradients", *LINKS], rows)


def _servers(counts: Mapping[str, int]) -> Iterator[str]:
    """Yields how many parameter servers keep up with the workers."""
    heads = ["network", *(f"{workers} workers" for workers in WORKERS)]
    rows = []
    for name, (batch, rate) in MEASURED.items():
        row = [name]
        for workers in WORKERS:
            load = 2 * 4 * counts[name] * workers / (batch / rate)  # Bytes a second, both ways.
            row.append(f"{max(1, -int(-load // (2 * LINKS['100 Gbit/s']))):,}")
        rows.append(row)
    yield from _table(heads, rows)


def _input() -> Iterator[str]:
    """Yields what the input of a worker takes."""
    rows = []
    for name, (_, rate) in MEASURED.items():
        kind = _PREPROCESSING.get(name, "Inception")
        cores = rate * IMAGE_SECONDS[kind]
        rows.append([name, f"{rate:,}", f"{rate * RECORD_BYTES / 1e6:,.0f} MB/s", f"{cores:.1f}"])
    yield from _table(["network", "images/s", "to read", "CPUs to decode and crop"], rows)


def _resuming() -> Iterator[str]:
    """Yields what shuffling holds in memory, and what is read before a run that continues goes on.

    The last worker reads the batches of all others before its own.
    """
    window = WINDOW_BYTES / RECORD_BYTES
    batch, _ = MEASURED[RESUMED_NETWORK]
    yield from _paragraph(
        f"A window holds {window:,.0f} records of ImageNet, 128 MiB; at most {WINDOWS} are in"
        f" memory, {WINDOWS * WINDOW_BYTES / 2**20:,.0f} MiB a worker, however many there are."
    )
    yield from _paragraph(
        f"A run that continues at step {RESUMED_STEP:,} counts where its epoch was (from the"
        f" manifest; up to {COUNTING_SECONDS} s of a CPU, measured) and reads one window before its"
        " first batch, wherever in the epoch that is; the last worker then reads the batches of all"
        f" others. Until it has its first batch of {RESUMED_NETWORK}, {batch} images:"
    )
    rows = []
    for disk, speed in DISKS.items():
        read = (WINDOW_BYTES + workers * batch * RECORD_BYTES for workers in WORKERS)
        rows.append([disk, *(_seconds(COUNTING_SECONDS + size / speed) for size in read)])
    yield from _table(["disk", *(f"{workers} workers" for workers in WORKERS)], rows)


def page(networks: str) -> str:
    """Returns docs/scale.md.

    Args:
      networks: Contents of docs/networks.md.
    """
    counts = parameters(networks)
    shards = ", ".join(f"{SHARDS // workers} with {workers}" for workers in WORKERS)
    largest = max(batch * WORKERS[-1] for batch, _ in MEASURED.values())
    lines = [
        "# Beyond one machine: what 8, 64 and 512 workers need",
        "",
        *_paragraph(
            "Computed by `tools/bazel run //tools:scale` from the numbers of parameters in"
            " [networks.md](networks.md) and from what was measured: steps on one H100, processor"
            " time of images on 2 CPUs. Nothing here was tried on so many workers;"
            " [distributed.md](distributed.md) says how to start them, and what was tried."
        ),
        "## Gradients against links",
        "",
        *_paragraph(
            "With `--distribution=collective` every worker sends and receives 2 (n - 1) / n times"
            " the gradients in each step. The percentages are the fraction of the time that is left"
            " for computing if nothing overlaps, the worst case: they depend on the link, hardly on"
            " the number of workers."
        ),
        *_gradients(counts),
        "",
        *_paragraph(
            "What all networks exchange in a step, and the milliseconds that it takes with"
            f" {' / '.join(map(str, WORKERS))} workers:"
        ),
        *_exchanges(counts),
        "",
        "## Parameter servers",
        "",
        *_paragraph(
            "Each worker sends its gradients and receives all weights in every step. So many"
            " servers with 100 Gbit/s each way keep up with workers that never wait:"
        ),
        *_servers(counts),
        "",
        "## Input of one worker",
        "",
        *_paragraph(
            f"Records of ImageNet have {RECORD_BYTES / 1000:.0f} kB on average. Decoding and"
            " cropping one took 1.8 to 2.1 ms of a CPU here."
        ),
        *_input(),
        "",
        "## Shards, shuffling, resuming",
        "",
        *_paragraph(
            f"ImageNet has {SHARDS:,} shards: {shards} workers. Today each worker reads all of them"
            " and decodes its own part, so that the order does not depend on how many workers there"
            " are: the column `to read` times the number of workers. From some tens of workers on,"
            " a shared file system has to bear that, or each worker needs a copy."
        ),
        *_resuming(),
        "",
        "## Batches",
        "",
        *_paragraph(
            f"512 workers at these batch sizes make steps of up to {largest:,} images, an epoch of"
            f" ImageNet in {EXAMPLES / largest:,.0f} steps. The learning rate is not scaled for"
            " you; up to 8,192 images, a warm-up (`--warmup_epochs=5`) and a rate in proportion"
            " were published to lose nothing (arXiv:1706.02677). Beyond that other optimizers were,"
            " which are not here."
        ),
    ]
    return "\n".join(lines).rstrip("\n") + "\n"


def main(arguments: list[str]) -> int:
    """Prints the page, or writes it with --fix."""
    root = pathlib.Path(os.environ.get("BUILD_WORKSPACE_DIRECTORY", "."))
    text = page((root / NETWORKS).read_text(encoding="utf-8"))
    if "--fix" in arguments:
        (root / PAGE).write_text(text, encoding="utf-8")
    else:
        print(text, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
