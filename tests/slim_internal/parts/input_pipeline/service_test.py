"""Reads through a data service that runs in this process."""

import collections
import os
import socket

import numpy as np
import pytest

from datasets import descriptor
from slim_internal.ground.compat import data_service, tf
from slim_internal.ground.errors import UserError
from slim_internal.parts.input_pipeline import service
from tests.slim_internal.programs.training import tiny_dataset

_EXAMPLES = 42


@pytest.fixture(scope="module")
def address():
    dispatcher = data_service.DispatchServer(data_service.DispatcherConfig(port=0))
    host = dispatcher.target.partition("://")[2]
    workers = [
        data_service.WorkerServer(data_service.WorkerConfig(dispatcher_address=host))
        for _ in range(2)
    ]
    yield dispatcher.target
    del workers


def test_each_example_comes_once_in_an_epoch(address, tmp_path):
    dataset = tiny_dataset.write(str(tmp_path), _EXAMPLES, num_shards=5)
    batches = service.batches(
        dataset,
        lambda image: image,
        [os.path.abspath(path) for path in descriptor.data_files(dataset)],
        service=address,
        batch_size=14,
        num_readers=2,
        num_threads=2,
    )
    next_batch = tf.data.make_one_shot_iterator(batches).get_next()
    epochs = []
    with tf.Session() as session:
        for _ in range(2):
            parts = [session.run(next_batch) for _ in range(_EXAMPLES // 14)]
            labels = np.concatenate([part["label"] for part in parts])
            brightness = np.concatenate([part["image"][:, 0, 0, 0] for part in parts])
            np.testing.assert_array_equal(labels, brightness)
            epochs.append(labels.tolist())
    assert set(collections.Counter(epochs[0]).values()) == {1}
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(_EXAMPLES))


@pytest.mark.parametrize(
    "address",
    ["localhost:5050", "grpc://localhost", "grpc://a b:1", "grpc://h:99999", "http://h:1"],
)
def test_addresses_have_a_form(address):
    with pytest.raises(UserError, match="must be like grpc://host:port"):
        service.require(address)


def test_a_service_that_does_not_answer():
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    with pytest.raises(UserError, match=f"No data service answers at .*:{port} .*data_service"):
        service.require(f"grpc://localhost:{port}")
