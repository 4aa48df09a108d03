"""Downloads published weights, checks them and keeps them in a cache.

    python download_checkpoint.py --list
    python download_checkpoint.py --model_name=inception_v3
    python download_checkpoint.py --model_name=mobilenet_v1_0.25_128 --source=/my/archives

Afterwards --checkpoint_path=inception_v3 means these weights in every program. The cache is the
folder that the environment variable SLIM_CHECKPOINT_CACHE names, otherwise
~/.cache/slim/checkpoints.
"""

import os

from absl import flags

from slim_internal.ground import cli
from slim_internal.ground.errors import UserError

_MODEL_NAME = flags.DEFINE_string(
    "model_name", None, "Network, meaning its first set of weights, or a set that --list prints."
)
_LIST = flags.DEFINE_bool(
    "list", False, "Print the published weights, those of --model_name or all, and fetch nothing."
)
_SOURCE = flags.DEFINE_string(
    "source",
    None,
    "Instead of the published addresses: a folder with the archive or the checkpoint, or the URL"
    " of a folder with the archive.",
)
_CACHE = flags.DEFINE_string(
    "checkpoint_cache",
    None,
    "Folder of the cache; programs find it there if SLIM_CHECKPOINT_CACHE names the same.",
)


def main(_):
    """Lists or fetches what the flags name; prints the path of the checkpoint."""
    from slim_internal.parts.checkpoints import published, published_table

    cache = published.cache_folder(_CACHE.value and cli.user_path(_CACHE.value))
    if _LIST.value:
        print(published_table.text(published_table.choose(_MODEL_NAME.value), cache))
        return
    if not _MODEL_NAME.value:
        raise UserError("--model_name is required; --list prints what there is.")
    weights = published.get(_MODEL_NAME.value)
    source = _SOURCE.value and os.path.expanduser(_SOURCE.value)
    cached = published.fetch(weights, cache, source=source)
    print(cached.checkpoint_path)
    for line in published_table.hints(weights, cached):
        print(line)


if __name__ == "__main__":
    cli.run(main)
