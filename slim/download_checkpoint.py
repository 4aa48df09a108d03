"""Downloads published weights, checks them and keeps them in a cache.

    python download_checkpoint.py --list
    python download_checkpoint.py --model_name=inception_v3
    python download_checkpoint.py --model_name=mobilenet_v1_0.25_128 --source=/my/archives

Afterwards --checkpoint_path=inception_v3 means these weights in every program. The cache is the
folder that the environment variable SLIM_CHECKPOINT_CACHE names, otherwise
~/.cache/slim/checkpoints.
"""

from slim_internal.ground import cli
from slim_internal.ground.cli import config_flags
from slim_internal.ground.errors import UserError
from slim_internal.parts.checkpoints.settings import DownloadSettings

FLAGS = cli.FLAGS


@cli.entry()
def main(_):
    """Lists or fetches what the flags name; prints the path of the checkpoint."""
    from slim_internal.parts.checkpoints import published, published_table

    settings = config_flags.read(DownloadSettings)
    cache = published.cache_folder(
        settings.checkpoint_cache and cli.user_path(settings.checkpoint_cache)
    )
    if settings.list:
        print(published_table.text(published_table.choose(settings.model_name), cache))
        return
    if not settings.model_name:
        raise UserError("--model_name is required; --list prints what there is.")
    weights = published.get(settings.model_name)
    cached = published.fetch(weights, cache, source=settings.source)
    print(cached.checkpoint_path)
    for line in published_table.hints(weights, cached):
        print(line)


config_flags.define(DownloadSettings)

if __name__ == "__main__":
    cli.run(main)
