"""In which type a network is trained, and whether its graph is compiled.

Variables and checkpoints stay float32 whatever is chosen here, so a run may go on at another
precision. TensorFlow itself decides which operations are computed in the smaller type (its graph
optimizer "auto mixed precision"; arXiv:1710.03740 is the method).
"""

import dataclasses
import logging
import os
import pathlib

from deployment import sessions
from deployment.settings import PrecisionSettings
from slim_internal.ground.compat import tf
from slim_internal.ground.errors import UserError

_LOG = logging.getLogger(__name__)

_BFLOAT16_INSTRUCTIONS = {"avx512_bf16", "amx_bf16"}
_INITIAL_LOSS_SCALE = 2**13  # A power of 2, so that scaling is exact; it rises by itself.

# Variables that keep the loss scale in a run; nothing of the model depends on them.
STATE = ("current_loss_scale", "good_steps")

# Whether on a GPU -> why this is the fastest (docs/speed.md has the numbers).
_FASTEST = {
    True: "the fastest in trials on one H100",
    False: "the fastest on a CPU: XLA, and bfloat16 without AMX, take longer",
}

_ON = 1  # RewriterConfig.ON


@dataclasses.dataclass(frozen=True)
class Precision:
    """How the operations of a training step are computed.

    Attributes:
      smaller_type: float16 (GPU) or bfloat16 (CPU), in which those are computed that bear it; None
        if all are computed in float32.
      xla: Whether the graph is compiled for the GPU.
      reason: Why this was chosen, unless the user named it.
    """

    smaller_type: tf.DType | None = None
    xla: bool = False
    reason: str = ""

    @property
    def words(self) -> str:
        """What to call it in the first line of a program."""
        name = f"{self.smaller_type.name} and float32" if self.smaller_type else "float32"
        name = f"{name}, compiled by XLA" if self.xla else name
        return f"{name} ({self.reason})" if self.reason else name

    def configure(self, config: tf.ConfigProto) -> tf.ConfigProto:
        """Enters it into the settings of a session, and returns them."""
        options = config.graph_options
        if self.smaller_type == tf.float16:
            options.rewrite_options.auto_mixed_precision = _ON
        elif self.smaller_type == tf.bfloat16:
            # Not auto_mixed_precision_cpu, with which TensorFlow 2.21 dies in the first step.
            options.rewrite_options.auto_mixed_precision_onednn_bfloat16 = _ON
        if self.xla:
            options.optimizer_options.global_jit_level = tf.OptimizerOptions.ON_1
        return config

    def scaled(self, optimizer: tf.train.Optimizer) -> tf.train.Optimizer:
        """Returns the optimizer, with a loss scale that keeps small gradients in float16."""
        if self.smaller_type != tf.float16:
            return optimizer
        scale = tf.mixed_precision.DynamicLossScale(initial_loss_scale=_INITIAL_LOSS_SCALE)
        return tf.mixed_precision.MixedPrecisionLossScaleOptimizer(optimizer, scale)

    def check(self, metadata: tf.RunMetadata) -> None:
        """Says how many casts the graph of a step has; warns if it has none."""
        casts = count_casts(metadata, self.smaller_type)
        if casts:
            _LOG.info("Mixed precision: %d casts to %s.", casts, self.smaller_type.name)
        else:
            _LOG.warning(
                "Mixed precision changes nothing: TensorFlow computes no operation of this network"
                " in %s on this device. Train in float32.",
                self.smaller_type.name,
            )


FLOAT32 = Precision()


def choose(settings: PrecisionSettings, *, on_cpu: bool = False) -> Precision:
    """Returns the precision that the settings ask for.

    Args:
      settings: The settings.
      on_cpu: Whether the network stays on the CPU where there is a GPU.

    Raises:
      UserError: If the settings contradict each other, or the device cannot do it.
    """
    on_gpu = bool(sessions.gpus()) and not on_cpu
    mixed, xla = _meaning(settings, on_gpu)
    if xla and not on_gpu:
        raise UserError(
            "--xla compiles for a GPU, and the network is on the CPU; a step that is compiled for a"
            " CPU takes about five times as long. Leave it out."
        )
    smaller_type = None
    if mixed and on_gpu:
        smaller_type = tf.float16
        # float16 batch normalization takes most of the time without these kernels.
        os.environ.setdefault("TF_USE_CUDNN_BATCHNORM_SPATIAL_PERSISTENT", "1")
    elif mixed:
        if not _BFLOAT16_INSTRUCTIONS & _instructions():
            raise UserError(
                "Mixed precision needs a GPU or a CPU that computes in bfloat16 (AVX512_BF16 or"
                " AMX); the network is on a CPU without. Train in float32."
            )
        smaller_type = tf.bfloat16
        _LOG.warning(
            "Mixed precision on a CPU saves memory; whether it saves time depends on the CPU:"
            " compare images/s with and without it."
        )
    reason = _FASTEST[on_gpu] if settings.precision == "fastest" else ""
    return Precision(smaller_type, xla, reason)


def _meaning(settings: PrecisionSettings, on_gpu: bool) -> tuple[bool, bool]:
    """Returns whether to compute in mixed precision, and whether to compile."""
    meant = {
        None: {},
        "float32": {"mixed_precision": False},
        "mixed": {"mixed_precision": True},
        "fastest": {"mixed_precision": on_gpu, "xla": on_gpu},
    }[settings.precision]
    for name, value in meant.items():
        if name in settings.given and getattr(settings, name) != value:
            flags = {True: f"--{name}", False: f"--no{name}"}
            raise UserError(
                f"--precision={settings.precision} means {flags[value]} on this device; got"
                f" {flags[not value]}. Leave one of the two out."
            )
    return meant.get("mixed_precision", settings.mixed_precision), meant.get("xla", settings.xla)


def count_casts(metadata: tf.RunMetadata, dtype: tf.DType) -> int:
    """Returns how many operations of an optimized graph cast to a type.

    Args:
      metadata: What a session filled in under `RunOptions(output_partition_graphs=True)`.
      dtype: The type.
    """
    nodes = (node for graph in metadata.partition_graphs for node in graph.node)
    return sum(
        node.op == "Cast" and node.attr["DstT"].type == dtype.as_datatype_enum for node in nodes
    )


def _instructions() -> set[str]:
    """Returns the instruction sets of the CPU, as Linux names them; none on other systems."""
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return set()
    return set(next((line for line in lines if line.startswith("flags")), "").split())
