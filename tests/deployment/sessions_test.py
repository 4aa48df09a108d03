"""Sessions open on every machine, and the first line of a program says where it computes."""

import logging
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

from deployment import sessions
from slim_internal.ground.compat import tf

# Both libraries of a driver that has one GPU, for a machine without CUDA's.
_DRIVER = """
#include <string.h>
int cuInit(unsigned flags) { return 0; }
int cuDriverGetVersion(int* version) { *version = 13000; return 0; }
int cuDeviceGetCount(int* count) { *count = 1; return 0; }
int cuDeviceGet(int* device, int number) { *device = number; return 0; }
int cuDeviceGetName(char* name, int size, int device) { strncpy(name, "Test", size); return 0; }
int cuDeviceTotalMem_v2(size_t* bytes, int device) { *bytes = 1ull << 34; return 0; }
int cuDeviceGetAttribute(int* value, int attribute, int device) { *value = 8; return 0; }
int cuDevicePrimaryCtxRetain(void** context, int device) { *context = context; return 0; }
int cuCtxSetCurrent(void* context) { return 0; }
int nvmlInit_v2(void) { return 0; }
int nvmlShutdown(void) { return 0; }
int nvmlDeviceGetCount_v2(unsigned* count) { *count = 1; return 0; }
int nvmlDeviceGetHandleByPciBusId_v2(const char* bus, void** device) { return 3; }
int nvmlSystemGetDriverVersion(char* version, unsigned size) { *version = 0; return 0; }
const char* nvmlErrorString(int error) { return "test"; }
"""

# What programs do: say where they compute, open one session, and another.
_PROGRAM = """
import logging
logging.basicConfig(format="%(levelname)s %(message)s", level=logging.INFO)
from deployment import sessions
from slim_internal.ground.compat import tf
sessions.announce()
for _ in range(2):
    with tf.Graph().as_default(), tf.Session(config=sessions.config()) as session:
        print(session.run(tf.constant(20) + 1), len(session.list_devices()))
from slim_internal.parts.inference.formats import tflite
with tf.Graph().as_default() as graph:
    tf.identity(tf.placeholder(tf.float32, [1, 3], "images") * 2.0, "logits")
ends = "images", (3,), "logits", "net"
print(tflite.TFLite().convert(None, graph.as_graph_def(), *ends)[4:8])
"""


@pytest.fixture
def messages(caplog, monkeypatch):
    """Returns what a program says on a machine with given GPUs, driver and TF32."""

    def announce(*arguments, gpus=(), driver=False, tf32=False):
        caplog.clear()
        monkeypatch.setattr(sessions, "gpus", lambda: gpus)
        monkeypatch.setattr(sessions, "_driver_has_gpu", lambda: driver)
        monkeypatch.setattr(sessions, "_has_tf32", lambda: tf32)
        with caplog.at_level(logging.INFO):
            sessions.announce(*arguments)
        return caplog.messages

    return announce


def test_line_on_devices_and_precision(messages):
    two = ("GPU 0 (H100)", "GPU 1 (H100)")
    assert messages() == ["Devices: CPU. Precision: float32."]
    assert messages(gpus=two) == ["Devices: GPU 0 (H100), GPU 1 (H100). Precision: float32."]
    assert messages(gpus=two[:1], driver=True, tf32=True) == [
        "Devices: GPU 0 (H100). Precision: float32 (TF32 in convolutions and matrix products)."
    ]
    assert messages("float16", gpus=two[:1], tf32=True) == [
        "Devices: GPU 0 (H100). Precision: float16."
    ]


def test_a_program_that_leaves_gpus_alone_says_so_and_no_session_is_left_to_find_them(caplog):
    caplog.set_level(logging.INFO)
    sessions.announce_cpu()
    assert caplog.messages == ["Devices: CPU. Precision: float32."]
    sources = pathlib.Path(sessions.__file__).parents[1].rglob("*.py")
    assert [file for file in sources if "tf.Session()" in file.read_text("utf-8")] == []


def test_driver_without_cuda_is_told_with_the_remedy(messages):
    line, warning = messages(driver=True)
    assert line == "Devices: CPU. Precision: float32."
    assert "CUDA 12 libraries are missing" in warning
    assert "cuda.lock" in warning


@pytest.mark.parametrize(("gpus", "optimizers"), [((), ["remap"]), (("GPU 0 (H100)",), [])])
def test_graphs_of_constants_are_not_searched_for_more_on_the_cpu(monkeypatch, gpus, optimizers):
    monkeypatch.setattr(sessions, "gpus", lambda: gpus)
    rewriting = sessions.constants_config().graph_options.rewrite_options
    assert list(rewriting.optimizers) == optimizers
    assert not sessions.config().graph_options.rewrite_options.optimizers


def test_sessions_look_for_no_gpu_where_there_is_none(monkeypatch):
    monkeypatch.setattr(sessions, "gpus", lambda: ())
    assert sessions.config().device_count == {"GPU": 0}
    monkeypatch.setattr(sessions, "gpus", lambda: ("GPU 0 (H100)",))
    assert not sessions.config(threads=3).device_count
    assert sessions.config(threads=3).intra_op_parallelism_threads == 3


@pytest.mark.parametrize("hidden", ["", "-1"])
def test_hidden_gpus_are_not_missed(monkeypatch, hidden):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    monkeypatch.setattr(sessions.ctypes, "CDLL", None)  # Calling it would be a TypeError.
    assert not sessions._driver_has_gpu()


@pytest.mark.skipif(not shutil.which("cc"), reason="has no C compiler")
@pytest.mark.skipif(bool(tf.config.list_physical_devices("GPU")), reason="has a GPU that works")
def test_machine_with_a_driver_and_without_cuda(tmp_path):
    (tmp_path / "driver.c").write_text(_DRIVER)
    for name in ("libcuda.so.1", "libnvidia-ml.so.1"):
        command = ["cc", "-shared", "-fPIC", "-o", tmp_path / name, tmp_path / "driver.c"]
        subprocess.run(command, check=True)
    environment = {k: v for k, v in os.environ.items() if k != "CUDA_VISIBLE_DEVICES"}
    result = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        env={
            **environment,
            "LD_LIBRARY_PATH": str(tmp_path),
            "PYTHONPATH": os.pathsep.join(sys.path),
            "TF_CPP_MIN_LOG_LEVEL": "3",
        },
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert result.stdout == "21 1\n21 1\nb'TFL3'\n", result.stderr
    assert "INFO Devices: CPU. Precision: float32.\n" in result.stderr
    assert "WARNING The NVIDIA driver has a GPU" in result.stderr
