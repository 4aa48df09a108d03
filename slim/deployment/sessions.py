"""How every program opens its TensorFlow session, and on which devices it computes."""

import contextlib
import ctypes
import functools
import logging
import os

from slim_internal.ground.compat import extras, tf

_LOG = logging.getLogger(__name__)

# M_TRIM_THRESHOLD, M_TOP_PAD and M_MMAP_MAX of malloc.h: never trim, take 64 MiB at a time, map
# nothing on its own. (One arena for all threads would slow input down.)
_MALLOC = {-1: 2**31 - 1, -2: 64 << 20, -4: 0}


def config(threads: int = 0) -> tf.ConfigProto:
    """Returns settings under which a program takes no more of the GPU than it needs.

    So evaluation fits beside training. What a device lacks is put on the CPU.

    Args:
      threads: Threads on the CPU; 0 takes all.
    """
    _keep_memory()
    return tf.ConfigProto(
        allow_soft_placement=True,
        gpu_options=tf.GPUOptions(allow_growth=True),
        intra_op_parallelism_threads=threads,
        inter_op_parallelism_threads=threads,
        # With NVIDIA's driver but without CUDA's libraries TensorFlow finds no GPU, and yet a
        # session fails unless it is told to look for none.
        device_count={} if gpus() else {"GPU": 0},
    )


def constants_config() -> tf.ConfigProto:
    """Returns settings of a session for a graph whose weights are constants.

    TensorFlow looks for constants to compute in advance, and there are none left: for VGG-16 that
    takes a minute and 3 GB. On the CPU it is told to put operations into common kernels only.

    The session has threads of its own: evaluation runs it within an operation of another session,
    and that one holds the only thread there is on a machine with one CPU.
    """
    settings = config()
    settings.use_per_session_threads = True
    if not gpus():
        settings.graph_options.rewrite_options.optimizers.append("remap")
    return settings


def cpu_config() -> tf.ConfigProto:
    """Returns settings of a session for small work: it takes nothing of a GPU."""
    return tf.ConfigProto(device_count={"GPU": 0})


def announce(precision: str = "float32") -> None:
    """Says in one line on which devices and at which precision the program computes.

    Args:
      precision: Type that the network computes in.
    """
    found = gpus()
    if found and precision == "float32" and _has_tf32():
        precision = "float32 (TF32 in convolutions and matrix products)"
    _LOG.info("Devices: %s. Precision: %s.", ", ".join(found) or "CPU", precision)
    if not found and _driver_has_gpu():
        _LOG.warning(
            "The NVIDIA driver has a GPU, but the CUDA 12 libraries are missing or do not load, so"
            " the CPU is used. %s --verbose shows TensorFlow's own message; CUDA_VISIBLE_DEVICES=-1"
            " chooses the CPU.",
            extras.how_to_install("cuda"),
        )


def announce_cpu() -> None:
    """Says the same of a program that leaves every GPU alone."""
    _LOG.info("Devices: CPU. Precision: float32.")


@functools.cache
def gpus() -> tuple[str, ...]:
    """Returns the GPUs that TensorFlow can use, by number and name."""
    found = []
    for number, device in enumerate(tf.config.list_physical_devices("GPU")):
        details = tf.config.experimental.get_device_details(device)
        found.append(f"GPU {number} ({details.get('device_name', 'unknown')})")
    return tuple(found)


@functools.cache
def _keep_memory() -> None:
    """Lets the allocator keep what a step frees, for the next one takes as much again.

    Otherwise glibc gives large buffers back to the system, which clears their pages whenever they
    are used again: on some machines a quarter of a training step.
    """
    with contextlib.suppress(AttributeError, OSError):  # Not glibc.
        mallopt = ctypes.CDLL(None).mallopt
        for parameter, value in _MALLOC.items():
            mallopt(parameter, value)


def _has_tf32() -> bool:
    return (
        tf.config.experimental.tensor_float_32_execution_enabled()
        and os.environ.get("NVIDIA_TF32_OVERRIDE") != "0"
    )


def _driver_has_gpu() -> bool:
    """Returns whether NVIDIA's driver is installed and has a GPU that the user has not hidden."""
    if os.environ.get("CUDA_VISIBLE_DEVICES", "all") in ("", "-1"):
        return False
    try:
        driver = ctypes.CDLL("libcuda.so.1")
        count = ctypes.c_int()
        succeeded = driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0
    except (AttributeError, OSError):  # No driver, or something else of that name.
        return False
    return succeeded and count.value > 0
