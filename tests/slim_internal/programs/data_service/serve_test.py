"""Starts a data service as users do, trains on it, and stops it by a signal."""

import logging
import pathlib
import signal
import subprocess
import sys

import pytest

from nets import nets_factory
from slim_internal.ground import cli
from slim_internal.ground.errors import UserError
from slim_internal.programs.training import train
from slim_internal.programs.training.settings import TrainConfig
from tests.slim_internal.programs.training import tiny_dataset, tiny_network

_SCRIPT = pathlib.Path(cli.__file__).parents[3] / "start_data_service.py"
_ADDRESS = "--data_service="


@pytest.fixture
def start():
    """Starts the program; returns it and its address."""
    started = []

    def run(*flags):
        process = subprocess.Popen(
            [sys.executable, _SCRIPT, *flags],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        line = process.stdout.readline().strip()
        return process, line.removeprefix(_ADDRESS)

    yield run
    for process in started:
        process.kill()
        process.communicate()


def test_training_reads_from_it_and_a_signal_ends_it(start, tmp_path, monkeypatch, caplog):
    monkeypatch.setitem(nets_factory.networks, "tiny", tiny_network.NETWORK)
    dataset = tiny_dataset.write(str(tmp_path / "data"), 32, num_classes=4)
    first, address = start()
    second, joined = start(f"--dispatcher={address}")
    assert joined == address
    config = TrainConfig(
        train_dir=str(tmp_path / "run"),
        dataset_dir="unused",
        model_name="tiny",
        batch_size=8,
        max_number_of_steps=6,
        data_service=address,
    )
    with caplog.at_level(logging.WARNING):
        assert train.train_on(dataset, tiny_network.NETWORK, config).step == 6
    assert "does not equal an uninterrupted one" in caplog.text
    for process, number in ((second, signal.SIGINT), (first, signal.SIGTERM)):
        process.send_signal(number)
        assert process.wait(30) == 128 + number
        assert process.stderr.readline() == "Devices: CPU. Precision: float32.\n"
        assert "Traceback" not in process.stderr.read()


def test_a_port_in_use(start):
    _, address = start()
    process, line = start(f"--port={address.rpartition(':')[2]}")
    assert line == ""
    assert process.wait(60) == 1
    assert "cannot be used: Address already in use. Choose another." in process.stderr.read()


@pytest.mark.parametrize("setting", ["balanced_sampling", "cache"])
def test_what_a_data_service_cannot_do_is_refused(tmp_path, setting):
    dataset = tiny_dataset.write(str(tmp_path / "data"), 8, num_classes=4)
    config = TrainConfig(
        train_dir=str(tmp_path / "run"),
        dataset_dir="unused",
        model_name="lenet",
        data_service="grpc://localhost:1",
        **{setting: True},
    )
    with pytest.raises(UserError, match=f"--{setting} .* --data_service out"):
        train.train_on(dataset, tiny_network.NETWORK, config)
