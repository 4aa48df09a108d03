"""The calls that `logits_variants` and `train_mode` record, as calls of our own functions."""

import contextlib
import functools
import importlib

from nets import nets_factory
from nets.network import Network
from slim_internal.ground.compat import slim, tf
from tests import golden_files


def resolve(dotted_name: str):
    """Returns the Python object of a dotted name such as `nets.vgg.vgg_16`."""
    names = dotted_name.split(".")
    found = importlib.import_module(names[0])
    for i, name in enumerate(names[1:], start=2):
        if not hasattr(found, name):
            importlib.import_module(".".join(names[:i]))
        found = getattr(found, name)
    return found


def build(call: dict, images: tf.Tensor):
    """Returns (net, end_points) of a recorded call; an empty dict where there are none."""
    kwargs = {name: _decode(value) for name, value in call["kwargs"].items()}
    with contextlib.ExitStack() as scopes:
        if call["arg_scope"]:
            arg_scope = resolve(call["arg_scope"])(**call["arg_scope_kwargs"])
            scopes.enter_context(slim.arg_scope(arg_scope))
        for functions, defaults in call.get("extra_arg_scopes", ()):
            scopes.enter_context(slim.arg_scope([resolve(f) for f in functions], **defaults))
        built = resolve(call["function"])(images, **kwargs)
    return built if isinstance(built, tuple) else (built, {})


@functools.cache
def variants() -> dict[str, dict]:
    """Returns every recorded variant by the name of its case."""
    paths = sorted(golden_files.path("logits_variants").glob("*.json"))
    return {path.stem: golden_files.load(f"logits_variants/{path.name}") for path in paths}


def variants_of(network: Network) -> list[str]:
    """Returns the cases that the tests of this network run."""
    return [case for case in variants() if owner(case) == network.name]


def owner(case: str) -> str | None:
    """Returns the network whose tests run a variant; None for the generative networks.

    A case begins with the name of its network; one of a general function such as
    `resnet_v1.resnet_v1` belongs to the first network of that module.
    """
    prefixes = [name for name in nets_factory.networks if case.startswith(f"{name}_")]
    if prefixes:
        return max(prefixes, key=len)
    module = variants()[case]["call"]["function"].rpartition(".")[0]
    family = [
        net.name for net in nets_factory.networks.values() if net.builder.__module__ == module
    ]
    return family[0] if family else None


def _decode(value):
    """Turns the notation of golden/README.md into Python objects."""
    if isinstance(value, str) and value.startswith("@"):
        return resolve(value[1:])
    if isinstance(value, dict):
        if "@blocks" in value:
            return [resolve(value["@blocks"])(*row) for row in value["list"]]
        if "@config" in value:
            config = resolve(value["@config"])()
            for name, setting in value["set"].items():
                config.set_hparam(name, setting)
            return config
        if "@pix2pix_blocks" in value:
            return [resolve("nets.pix2pix.Block")(*row) for row in value["@pix2pix_blocks"]]
    return value
