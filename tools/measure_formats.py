"""Writes every network in every format, compares each file with its checkpoint, keeps the numbers.

    bazel run --config=onnx //tools:measure_formats
    bazel run //tools:measure_formats -- --again inception_v3

The numbers go into slim/nets/export_formats.tsv, from which `list_networks --formats` prints the
table, each as soon as it is known. What stands there already is not measured again, so that an
interrupted run goes on; formats whose optional libraries are missing are passed over. Each network
has a process of its own: what kills it, memory for one, is written down and the next one is
measured. Weights follow from the names of the variables, as in tests/golden; images are smaller
than usual where the network allows.
"""

import functools
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence

from absl import flags

from slim_internal.ground import cli
from slim_internal.ground.errors import UserError

_AGAIN = flags.DEFINE_bool("again", False, "Measure also what was measured before.")
_OUTPUT = flags.DEFINE_string("output_file", None, "File of the numbers; else the project's.")
_FORMATS = flags.DEFINE_list("format", [], "Only these formats.")
_SIZE = flags.DEFINE_integer(
    "image_size",
    128,
    "Height and width in pixels, where the network's own is larger and not fixed.",
)
_MINUTES = flags.DEFINE_float("minutes", 30, "Longest time for a network.")
_ONE = flags.DEFINE_bool("one", False, "Measure in this process, and print the numbers as JSON.")


def _image_size(network, wanted: int) -> int:
    own = network.default_image_size
    return own if network.fixed_image_size else max(network.min_image_size, min(own, wanted))


def _frozen(network, size: int, folder: str):
    """Returns a network with the weights of its reference numbers, ready to be written."""
    import numpy as np

    from slim_internal.ground.compat import tf
    from slim_internal.parts.inference import description, freeze, graph, sample_images
    from slim_internal.parts.inference.calibration import Examples
    from tests import golden_files
    from tests.nets import golden_weights

    model = description.ModelDescription(
        model_name=network.name,
        preprocessing_name=network.preprocessing,
        image_size=size,
        channels=network.channels,
        num_classes=network.num_classes,
        num_frames=network.num_frames,
    )
    rule = golden_files.load(f"logits/{network.name}.json")["weight_rule"]
    with tf.Graph().as_default(), tf.Session() as session:
        graph.build(model)
        golden_weights.assign(session, tf.global_variables(), rule)
        path = tf.train.Saver().save(session, os.path.join(folder, "model.ckpt"))
    images = sample_images.prepared(model)
    return freeze.freeze(
        model, path, examples=Examples(images, np.zeros(len(images), np.int64), images)
    )


def measure(network, size: int, formats: Sequence[str]) -> Iterator[dict]:
    """Yields what is known of a network in each format, as the fields of a table's entry.

    Args:
      network: The record of the network.
      size: Height and width of the images.
      formats: Names of the formats.
    """
    from slim_internal.parts.inference.formats import table
    from slim_internal.programs.export import check

    with tempfile.TemporaryDirectory() as folder:
        frozen = _frozen(network, size, folder)
        for name in formats:
            each = table.get_format(name)
            path = pathlib.Path(folder, f"network{each.suffix}")
            facts = {"network": network.name, "image_size": str(size), "format": name}
            try:
                each.write(frozen, path.parent, path.name)
                comparison = check.measure(each, path, frozen.probe)
            except UserError as error:
                yield facts | {"problem": " ".join(str(error).split())}
                continue
            files = path.rglob("*") if path.is_dir() else [path]
            size_in_bytes = sum(file.stat().st_size for file in files if file.is_file())
            yield facts | {
                "megabytes": f"{size_in_bytes / 1e6:.1f}",
                "difference": f"{comparison.difference:.0e}",
                "agreement": f"{comparison.agreement:.4g}",
            }


def _in_own_process(name: str, size: int, formats: Sequence[str]) -> Iterator[dict]:
    """Yields the same, measured by a process that may die; the rest is measured by another one."""
    from nets import format_table

    pending = list(formats)
    while pending:
        command = [sys.executable, "-m", "tools.measure_formats", "--one", name]
        command += [f"--image_size={size}", f"--format={','.join(pending)}"]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        with subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, text=True
        ) as process:
            end = time.monotonic() + 60 * _MINUTES.value
            timer = threading.Timer(60 * _MINUTES.value, process.kill)
            timer.start()
            try:
                for line in process.stdout:
                    facts = json.loads(line)
                    pending.remove(facts["format"])
                    yield facts
                process.wait()
            finally:
                timer.cancel()
                process.kill()  # It lives on only if this process was interrupted.
        if pending:
            problem = f"its process ended with {process.returncode}"
            if time.monotonic() >= end:
                problem = f"it took more than {_MINUTES.value:g} minutes"
            facts = {"network": name, "image_size": str(size), "format": pending.pop(0)}
            yield facts | {"problem": f"{format_table.NOT_MEASURED}: {problem}"}


def _usable(names: Sequence[str]) -> list[str]:
    """Returns the formats whose libraries are installed."""
    from slim_internal.parts.inference.formats import table

    found = []
    for name in names or table.FORMATS:
        try:
            table.get_format(name).require_libraries()
            found.append(name)
        except UserError as error:
            print(error, file=sys.stderr)
    return found


def _size_and_measure(name: str) -> tuple[int, Callable[[Sequence[str]], Iterator[dict]]]:
    """Returns the image size that a network is measured at, and what measures it in formats."""
    from nets import nets_factory
    from tools import generative_formats

    if name in generative_formats.GENERATORS:
        size = generative_formats.GENERATORS[name][1]
        return size, functools.partial(generative_formats.measure, name)
    network = nets_factory.get_network(name)
    size = _image_size(network, _SIZE.value)
    return size, functools.partial(measure, network, size)


def main(names):
    """Measures the networks named, or all, and writes the file after each."""
    from nets import format_table, nets_factory
    from slim_internal.ground.files import atomic

    names = names or [*sorted(nets_factory.networks), *format_table.GENERATORS]
    if _ONE.value:
        for name in names:
            for facts in _size_and_measure(name)[1](_FORMATS.value):
                print(json.dumps(facts), flush=True)
        return
    os.nice(10)
    path = pathlib.Path(cli.user_path(_OUTPUT.value)) if _OUTPUT.value else format_table.PATH
    formats = _usable(_FORMATS.value)
    for name in names:
        known = {entry.format for entry in format_table.read(path) if entry.network == name}
        wanted = [each for each in formats if _AGAIN.value or each not in known]
        for facts in _in_own_process(name, _size_and_measure(name)[0], wanted):
            entry = format_table.Entry(**facts)
            print(f"{entry.network:32} {entry.format:15} {entry.cell} {entry.problem}", flush=True)
            others = [
                other
                for other in format_table.read(path)
                if (other.network, other.format) != (entry.network, entry.format)
            ]
            atomic.write_output(str(path.resolve()), format_table.encode([*others, entry]))


if __name__ == "__main__":
    cli.run(main, max_arguments=1000)
