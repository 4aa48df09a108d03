"""TensorFlow's data service: processes that make the batches of others (arXiv:2210.14826)."""

from tensorflow.data.experimental.service import (
    DispatcherConfig,
    DispatchServer,
    WorkerConfig,
    WorkerServer,
    distribute,
)

__all__ = ["DispatchServer", "DispatcherConfig", "WorkerConfig", "WorkerServer", "distribute"]
