"""Decodes and prepares images for training that runs elsewhere.

    start_data_service --port=5050 --host=big.example.com
    train_image_classifier --data_service=grpc://big.example.com:5050 ...

It needs to see the dataset under the same path as training does. On further machines,
--dispatcher=grpc://big.example.com:5050 joins it. It ends by Ctrl-C or SIGTERM.
"""

from slim_internal.ground import cli
from slim_internal.ground.cli import config_flags
from slim_internal.programs.data_service.settings import DataService

FLAGS = cli.FLAGS


@cli.entry()
def main(_):
    """Serves as the flags say."""
    from slim_internal.programs.data_service import serve

    return serve.serve(config_flags.read(DataService))


config_flags.define(DataService)

if __name__ == "__main__":
    cli.run(main)
