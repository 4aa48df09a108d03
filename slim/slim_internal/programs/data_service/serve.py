"""Starts dispatcher and workers of TensorFlow's data service, and waits for a signal."""

import logging
import signal
import time

from deployment import servers, sessions
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
    sessions.announce_cpu()
    for number in _SIGNALS:
        signal.signal(number, lambda number, _: received.append(number))
    started = []
    address = config.dispatcher
    leaving.leave_hard()
    if address is None:
        if problem := servers.port_problem(config.port):
            raise UserError(f"--port={config.port} cannot be used: {problem}. Choose another.")
        dispatcher = _started(
            config, data_service.DispatchServer, data_service.DispatcherConfig(port=config.port)
        )
        started.append(dispatcher)
        port = dispatcher.target.rpartition(":")[2]
        address = f"grpc://{config.host}:{port}"
    else:
        service.require(address)
    for _ in range(config.workers):
        worker = data_service.WorkerConfig(
            dispatcher_address=address.partition("://")[2],
            worker_address=f"{config.host}:%port%",
        )
        started.append(_started(config, data_service.WorkerServer, worker))
    print(f"--data_service={address}", flush=True)
    _LOG.info("%d workers serve; Ctrl-C or SIGTERM ends them.", config.workers)
    while not received:
        time.sleep(0.5)
    return 128 + received[0]


def _started(config: DataService, kind, settings):
    try:
        return kind(settings)
    except tf.errors.OpError as error:
        raise UserError(
            f"The data service cannot start (--port={config.port}, --host={config.host}):"
            f" {error.message.splitlines()[0]}"
        ) from error
