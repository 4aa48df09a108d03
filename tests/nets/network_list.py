"""Writes networks.bzl, the list of networks that have test targets.

bazel run //tests/nets:network_list
"""

import os
import pathlib

from nets import nets_factory
from tests import golden_files

# From here on the tests of a network take minutes or gigabytes.
_LARGE_PARAMETERS = 20_000_000
_LARGE_VARIABLES = 500

_HEADER = '''"""Every network with the size and tags of its tests.

Generated from the records of the networks: bazel run //tests/nets:network_list
"""

NETWORKS = [
'''


def text() -> str:
    """Returns what networks.bzl has to contain."""
    return _HEADER + "".join(map(_row, sorted(nets_factory.networks))) + "]\n"


def _row(name: str) -> str:
    size, tags = ("large", '["large_network"]') if _is_large(name) else ("medium", "[]")
    return f'    {{"name": "{name}", "size": "{size}", "tags": {tags}}},\n'


def _is_large(name: str) -> bool:
    golden = golden_files.load(f"variables/{name}.json")
    return (
        nets_factory.networks[name].num_frames is not None
        or golden["num_parameters"] > _LARGE_PARAMETERS
        or len(golden["trainable"]) > _LARGE_VARIABLES
    )


if __name__ == "__main__":
    root = pathlib.Path(os.environ.get("BUILD_WORKSPACE_DIRECTORY", "."))
    (root / "tests/nets/networks.bzl").write_text(text(), encoding="utf-8")
