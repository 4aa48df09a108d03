"""Converts weights of Keras applications and timm into a slim checkpoint, and back.

    python convert_checkpoint.py --model_name=inception_v3 \\
        --weights_file=inception_v3.safetensors --output_file=/weights/inception_v3.ckpt
    python convert_checkpoint.py --model_name=mobilenet_v1 \\
        --checkpoint_path=/runs/flowers --output_file=flowers.weights.h5

.h5, .weights.h5 and .keras are of Keras, .safetensors of timm; neither library is needed. Every
tensor has its place and its shape, or nothing is written and the reason is said.
"""

from slim_internal.ground import cli
from slim_internal.ground.cli import config_flags
from slim_internal.ground.errors import UserError
from slim_internal.ground.settings import missing
from slim_internal.parts.checkpoints.settings import ConverterSettings

FLAGS = cli.FLAGS


@cli.entry()
def main(_):
    """Converts what the flags name and says what came of it."""
    from slim_internal.parts.checkpoints import run_record
    from slim_internal.parts.checkpoints.converters import convert

    settings = config_flags.read(ConverterSettings)
    if not settings.model_name and not settings.checkpoint_path:  # Which may tell it.
        raise missing(settings, "model_name")
    if bool(settings.weights_file) == bool(settings.checkpoint_path):
        raise UserError("Give either --weights_file or --checkpoint_path.")
    settings = run_record.complete_from_checkpoint(settings)
    if not settings.model_name:
        raise missing(settings, "model_name")
    output = cli.user_path(settings.output_file)
    if settings.weights_file:
        source = cli.user_path(settings.weights_file)
        done = convert.to_slim(settings.model_name, source, output)
    else:
        done = convert.from_slim(settings.model_name, settings.checkpoint_path, output)
    print(done.summary())


config_flags.define(ConverterSettings)

if __name__ == "__main__":
    cli.run(main)
