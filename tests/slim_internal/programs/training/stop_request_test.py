"""Sends real signals to real processes."""

import os
import signal
import subprocess
import sys
import time

import pytest

_PROGRAM = """
import ctypes, sys, time
from slim_internal.programs.training.stop_request import StopRequest

with StopRequest() as stop:
    print("ready", flush=True)
    sleep = ctypes.CDLL(None).sleep  # In C, where Python cannot run its signal handlers.
    deadline = time.monotonic() + 20
    while stop.signal_number is None and time.monotonic() < deadline:
        sleep(1)
    print("saved", flush=True)
    if "linger" in sys.argv:
        while time.monotonic() < deadline:
            sleep(10)
sys.exit(stop.exit_code)
"""


@pytest.fixture
def process(request):
    child = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, *getattr(request, "param", [])],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout.readline() == "ready\n"
    yield child
    child.kill()
    child.communicate()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGXCPU, 152)]
)
def test_first_signal_lets_the_work_end(process, number, code):
    process.send_signal(number)
    assert process.stdout.readline() == "saved\n"
    assert process.wait(timeout=10) == code


@pytest.mark.parametrize("process", [["linger"]], indirect=True)
def test_second_signal_ends_at_once(process):
    process.send_signal(signal.SIGTERM)
    assert process.stdout.readline() == "saved\n"
    time.sleep(1.1)
    begin = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=10) == 130
    assert time.monotonic() - begin < 2


@pytest.mark.parametrize("process", [["linger"]], indirect=True)
def test_second_signal_within_a_second_is_the_same_one(process):
    for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGINT):
        process.send_signal(number)
        time.sleep(0.1)
    assert process.stdout.readline() == "saved\n"
    time.sleep(0.5)
    assert process.poll() is None


@pytest.mark.parametrize("process", [["linger"]], indirect=True)
def test_the_signals_of_further_seconds_of_processor_time_let_it_save(process):
    for _ in range(3):
        process.send_signal(signal.SIGXCPU)
        time.sleep(0.6)
    assert process.stdout.readline() == "saved\n"
    assert process.poll() is None


def test_no_signal(process):
    assert process.poll() is None
