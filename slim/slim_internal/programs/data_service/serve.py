"""Starts dispatcher and workers of TensorFlow's data service, and waits for a signal."""

import logging
import signal
import socket
import time

from slim_internal.ground.cli import leaving
from slim_internal.ground.compat import data_service, tf
from slim_internal.ground.errors import UserError
from slim_internal.parts.input_pipeline import service
from slim_internal.programs.data_service.settings import DataService

_LOG = logging.getLogger(__name__)

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def serve(config: DataService) -> int:
    """Serves until SIGINT or SIGTERM comes; returns 128 + its number.

    Raises:
      UserError: If the port is in use, or no service to join answers.
    """
    received: list[int] = []
    for number in _SIGNALS:
        signal.signal(number, lambda number, _: received.append(number))
    servers = []
    address = config.dispatcher
    leaving.leave_hard()
    if address is None:
        _require_free(config.port)
        dispatcher = _started(
            config, data_service.DispatchServer, data_service.DispatcherConfig(port=config.port)
        )
        servers.append(dispatcher)
        port = dispatcher.target.rpartition(":")[2]
        address = f"grpc://{config.host}:{port}"
    else:
        service.require(address)
    for _ in range(config.workers):
        worker = data_service.WorkerConfig(
            dispatcher_address=address.partition("://")[2],
            worker_address=f"{config.host}:%port%",
        )
        servers.append(_started(config, data_service.WorkerServer, worker))
    print(f"--data_service={address}", flush=True)
    _LOG.info("%d workers serve; Ctrl-C or SIGTERM ends them.", config.workers)
    while not received:
        time.sleep(0.5)
    return 128 + received[0]


def _require_free(port: int) -> None:
    """Requires that nothing listens at a port: two dispatchers would share it without a word."""
    try:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("", port))
    except OSError as error:
        raise UserError(
            f"--port={port} cannot be used: {error.strerror}. Choose another."
        ) from error


def _started(config: DataService, kind, settings):
    try:
        return kind(settings)
    except tf.errors.OpError as error:
        raise UserError(
            f"The data service cannot start (--port={config.port}, --host={config.host}):"
            f" {error.message.splitlines()[0]}"
        ) from error
