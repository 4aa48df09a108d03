"""On which devices a program runs; imports no TensorFlow, so that `--help` answers at once."""

import dataclasses
import os

from deployment.cluster import JOBS, resolve
from slim_internal.ground.settings import Settings, setting


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

    precision: str | None = setting(
        None,
        "float32, mixed (what --mixed_precision does) or fastest: --mixed_precision and --xla on a"
        " GPU, float32 on a CPU. Unless given, the two flags decide.",
        choices=("float32", "mixed", "fastest"),
    )
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
    """The processes of distributed training; `cluster.resolve` says what they make of this one."""

    cluster: str = setting(
        "",
        "Addresses of all processes: ps=HOST:PORT,...;worker=HOST:PORT,... without ps for"
        " --distribution=collective. TF_CONFIG does instead.",
    )
    job_name: str | None = setting(None, "Job of this process in --cluster.", choices=JOBS)
    task: int = setting(
        0, "Number of this process in its job, from 0; worker 0 is the chief, which saves."
    )
    distribution: str = setting(
        "parameter_server",
        "How workers share what they learn: by servers that hold the variables, or collective: by"
        " adding up their gradients in each step.",
        choices=("parameter_server", "collective"),
    )
    sync_replicas: bool = setting(
        False, "With parameter servers, make an update of the gradients of several workers."
    )
    replicas_to_aggregate: int = setting(
        1, "Gradients in an update of --sync_replicas.", at_least=1
    )
    master: str = setting(
        "",
        "Address of a TensorFlow server that runs already, grpc://HOST:PORT, instead of --cluster.",
    )
    worker_replicas: int = setting(1, "Number of workers; --cluster tells it.", at_least=1)
    num_ps_tasks: int = setting(0, "Number of parameter servers; --cluster tells it.", at_least=0)
    cluster_timeout_secs: float = setting(
        300.0, "Seconds to wait for other processes when training starts.", above=0
    )

    def __post_init__(self):
        super().__post_init__()
        resolve(self, os.environ)
