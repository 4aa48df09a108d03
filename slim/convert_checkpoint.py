"""Converts weights of Keras applications and timm into a slim checkpoint, and back.

    python convert_checkpoint.py --model_name=inception_v3 \\
        --weights_file=inception_v3.safetensors --output_file=/weights/inception_v3.ckpt
    python convert_checkpoint.py --model_name=mobilenet_v1 \\
        --checkpoint_path=/runs/flowers --output_file=flowers.weights.h5

.h5, .weights.h5 and .keras are of Keras, .safetensors of timm; neither library is needed. Every
tensor has its place and its shape, or nothing is written and the reason is said.
"""

from absl import flags

from slim_internal.ground import cli
from slim_internal.ground.errors import UserError

_MODEL_NAME = flags.DEFINE_string("model_name", None, "Name of slim's network. Required.")
_WEIGHTS_FILE = flags.DEFINE_string(
    "weights_file", None, "Weights of another library, to become a slim checkpoint."
)
_CHECKPOINT_PATH = flags.DEFINE_string(
    "checkpoint_path",
    None,
    "Checkpoint of slim, a folder of them or the name of published weights, to become weights of"
    " another library.",
)
_OUTPUT_FILE = flags.DEFINE_string(
    "output_file",
    None,
    "What to write: NAME.ckpt from --weights_file; from --checkpoint_path NAME.safetensors for timm"
    " or NAME.weights.h5 for Keras 3. Required.",
)


def main(_):
    """Converts what the flags name and says what came of it."""
    from slim_internal.parts.checkpoints.converters import convert

    for name in ("model_name", "output_file"):
        if not flags.FLAGS[name].value:
            raise UserError(f"--{name} is required.")
    if bool(_WEIGHTS_FILE.value) == bool(_CHECKPOINT_PATH.value):
        raise UserError("Give either --weights_file or --checkpoint_path.")
    output = cli.user_path(_OUTPUT_FILE.value)
    if _WEIGHTS_FILE.value:
        source = cli.user_path(_WEIGHTS_FILE.value)
        done = convert.to_slim(_MODEL_NAME.value, source, output)
    else:
        done = convert.from_slim(_MODEL_NAME.value, _CHECKPOINT_PATH.value, output)
    print(done.summary())


if __name__ == "__main__":
    cli.run(main)
