"""The records of the networks are complete, and so are the lists that follow from them."""

import dataclasses
import pathlib

import pytest

from nets import nets_factory
from nets.network import Checkpoint
from preprocessing import preprocessing_factory
from slim_internal.ground import errors
from tests import golden_files
from tests.nets import network_list


def test_names_are_unique():
    names = [net.name for family in nets_factory.families for net in family.NETWORKS]
    assert sorted(names) == sorted(nets_factory.networks)


def test_unknown_network():
    with pytest.raises(errors.UserError, match=r"'lenet5'\. Did you mean 'lenet'\? Allowed:"):
        nets_factory.get_network_fn("lenet5", num_classes=10)


def test_wrong_number_of_classes():
    with pytest.raises(errors.UserError, match=r"num_classes.*received -1"):
        nets_factory.get_network_fn("lenet", num_classes=-1)


def test_function_of_the_factory_tells_the_image_size():
    assert nets_factory.get_network_fn("lenet", 10).default_image_size == 28


@pytest.fixture
def tables(monkeypatch):
    for table in ("networks_map", "arg_scopes_map"):
        monkeypatch.setattr(nets_factory, table, dict(getattr(nets_factory, table)))
    return nets_factory


def mine(images, num_classes, is_training, **kwargs):
    return "mine", (num_classes, is_training, kwargs)


def mine_arg_scope(weight_decay):
    return {}


def test_entry_of_the_tables_is_a_network(tables):
    tables.networks_map["mine"] = mine
    tables.arg_scopes_map["mine"] = mine_arg_scope
    network_fn = tables.get_network_fn("mine", 7, is_training=True)
    assert network_fn(None, a=1) == ("mine", (7, True, {"a": 1}))
    network = tables.get_network("mine")
    assert network.preprocessing == "mine"
    with pytest.raises(errors.UserError, match="'mine' does not say its image size: set the"):
        _ = network.default_image_size
    with pytest.raises(errors.UserError, match=r"'mime'\. Did you mean 'mine'"):
        tables.get_network_fn("mime", 7)


def test_entry_of_the_tables_replaces_a_network(tables):
    tables.networks_map["lenet"] = mine
    assert tables.get_network_fn("lenet", 7)(None) == ("mine", (7, False, {}))
    network = tables.get_network("lenet")
    assert network.preprocessing == "lenet"
    assert not network.checkpoints


@pytest.mark.parametrize(
    ("table", "value", "message"),
    [
        (
            "networks_map",
            3,
            r"^The entry 'mine' of nets_factory\.networks_map is no function but 3",
        ),
        ("arg_scopes_map", None, r"^The entry 'mine' of nets_factory\.arg_scopes_map is missing"),
    ],
)
def test_entry_that_is_no_network(tables, table, value, message):
    tables.networks_map["mine"] = mine
    tables.arg_scopes_map["mine"] = mine_arg_scope
    getattr(tables, table)["mine"] = value
    with pytest.raises(errors.UserError, match=message):
        tables.get_network_fn("mine", 7)


def test_record_is_complete(network):
    assert network.paper
    assert network.classifier_scopes
    assert network.first_conv
    assert network.min_image_size >= 1
    assert network.default_image_size >= network.min_image_size
    assert callable(preprocessing_factory.get_preprocessing(network.preprocessing))


def test_preprocessing_by_name_is_that_of_the_record(network):
    by_name, by_record = (
        preprocessing_factory.get_preprocessing(name).func
        for name in (network.name, network.preprocessing)
    )
    # Of these the original names another one than their published weights were trained with.
    differs = network.name.startswith("resnet_v2")
    assert (by_name is not by_record) == differs


def test_the_records_hold_every_published_checkpoint():
    published = {row["url"]: row for row in golden_files.load("checkpoints.json")}
    held = {
        checkpoint.url: (network, checkpoint)
        for network in nets_factory.networks.values()
        for checkpoint in network.checkpoints
    }
    assert held.keys() == published.keys()
    facts = {field.name for field in dataclasses.fields(Checkpoint)}
    for url, (network, checkpoint) in held.items():
        row = published[url]
        ours = dataclasses.asdict(checkpoint)
        assert {key: ours[key] for key in facts & row.keys()} == {
            key: row[key] for key in facts & row.keys()
        }
        assert network.name.startswith(row["network"])
        assert network.preprocessing == row["preprocessing"]


def test_every_network_has_its_test_targets():
    written = pathlib.Path(network_list.__file__).with_name("networks.bzl").read_text("utf-8")
    assert written == network_list.text(), "run: bazel run //tests/nets:network_list"
