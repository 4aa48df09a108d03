"""On which devices a program runs; imports no TensorFlow, so that `--help` answers at once."""

import dataclasses

from slim_internal.ground.settings import Settings, setting

_ONE_PROCESS = "training runs in one process, on all its GPUs with --num_clones"


@dataclasses.dataclass(frozen=True, kw_only=True)
class DeviceSettings(Settings, subject="Devices"):
    """The devices of one process."""

    num_clones: int = setting(
        1, "Copies of the network that train side by side, one per GPU.", at_least=1
    )
    clone_on_cpu: bool = setting(False, "Run the copies on the CPU.")
    cpu_threads: int = setting(
        0,
        "Threads of TensorFlow on the CPU; with 1, two runs give the same weights to the last bit;"
        " 0 uses all CPUs.",
        at_least=0,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class PrecisionSettings(Settings, subject="Precision"):
    """In which type the network is trained, and whether its graph is compiled."""

    mixed_precision: bool = setting(
        False,
        "Compute what bears it in float16 on a GPU, in bfloat16 on a CPU that has it; variables"
        " and checkpoints stay float32.",
    )
    xla: bool = setting(
        False, "Compile the step for the GPU; the first step takes a minute or more."
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClusterSettings(Settings, subject="Cluster"):
    """The processes of distributed training."""

    master: str = setting("", "Address of the TensorFlow server.", unsupported=_ONE_PROCESS)
    worker_replicas: int = setting(1, "Number of workers.", unsupported=_ONE_PROCESS)
    num_ps_tasks: int = setting(0, "Number of parameter servers.", unsupported=_ONE_PROCESS)
    task: int = setting(0, "Number of this worker.", unsupported=_ONE_PROCESS)
    sync_replicas: bool = setting(
        False, "Apply the gradients of all workers together.", unsupported=_ONE_PROCESS
    )
    replicas_to_aggregate: int = setting(
        1, "Gradients to collect before an update.", unsupported=_ONE_PROCESS
    )
