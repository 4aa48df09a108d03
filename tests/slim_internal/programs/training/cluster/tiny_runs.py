"""Trains tiny networks in the processes of a cluster, and keeps the variables of each."""

import itertools
import os
import signal

import numpy as np

from nets import nets_factory
from nets.network import Network
from slim_internal.ground.compat import slim, tf
from slim_internal.programs.training import hooks, train
from slim_internal.programs.training.cluster import collective, parameter_servers
from slim_internal.programs.training.settings import TrainConfig
from tests.slim_internal.programs.training import tiny_dataset, tiny_network

_CLASSES = 4
_LAST_UPDATE = 60


def _plain(images, num_classes, is_training, scope="Tiny"):
    """Builds a network without batch normalization and dropout."""
    del is_training
    with tf.variable_scope(scope, "Tiny"):
        net = slim.conv2d(slim.avg_pool2d(images, 14, 14), 4, 1, scope="conv")
        logits = slim.fully_connected(slim.flatten(net), num_classes, None, scope="logits")
    return logits, {"Logits": logits}


_plain.default_image_size = 28

PLAIN = Network(**{**vars(tiny_network.NETWORK), "name": "plain", "builder": _plain})


class _Keeping(hooks.Hook):
    def __init__(self, session, path):
        self._session = session
        self._path = path

    def at_end(self, step):
        values = self._session.run({v.op.name: v for v in tf.global_variables()})
        np.savez(self._path, **values)


def run(config: TrainConfig) -> int:
    """Trains the network that `model_name` names, "plain" or "tiny", on a dataset of its own."""
    place = f"{config.train_dir}-{config.task}"
    dataset = tiny_dataset.write(f"{place}-data", 64, num_classes=_CLASSES)
    own_hooks = collective.CollectiveWorker.hooks

    def keeping_hooks(self, session, *others):
        return (*own_hooks(self, session, *others), _Keeping(session, f"{place}.npz"))

    collective.CollectiveWorker.hooks = keeping_hooks  # This process is for this run only.
    network = PLAIN if config.model_name == "plain" else tiny_network.NETWORK
    nets_factory.networks[network.name] = network
    os.makedirs(os.path.dirname(place), exist_ok=True)
    return train.train_on(dataset, network, config).exit_code


def die_between_update_and_tokens(config: TrainConfig) -> int:
    """Trains as the chief of synchronous workers, who at last wait for tokens that do not come."""

    def repeat(session, update, step, feed):
        for number in itertools.count(step):
            if number == _LAST_UPDATE:
                session.run(update.inputs[1], feed(number))  # The tokens, which are not given out.
                os.kill(os.getpid(), signal.SIGKILL)
            session.run(update, feed(number))

    parameter_servers._repeat = repeat  # This process is for this run only.
    return train.train(config).exit_code
