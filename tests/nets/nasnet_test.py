"""Cells, drop path and configuration of NASNet, by numbers worked out by hand."""

import numpy as np
import pytest

from nets.nasnet import cell_network, nasnet, nasnet_utils, pnasnet
from slim_internal.ground import errors
from slim_internal.ground.compat import slim, tf
from tests import golden_files

STEPS = 100


@pytest.fixture(autouse=True)
def fresh_graph():
    with tf.Graph().as_default() as graph:
        yield graph


def evaluate(tensor):
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        return session.run(tensor)


def images(size):
    return tf.placeholder(tf.float32, [2, size, size, 3])


@pytest.mark.parametrize(
    ("num_cells", "num_reductions", "expected"),
    [(18, 2, [6, 12]), (12, 2, [4, 8]), (9, 2, [3, 6]), (10, 3, [2, 5, 7])],
)
def test_reduction_layers(num_cells, num_reductions, expected):
    assert nasnet_utils.calc_reduction_layers(num_cells, num_reductions) == expected


def test_factorized_reduction_takes_even_and_odd_positions():
    ramp = tf.reshape(tf.range(9.0), [1, 3, 3, 1])
    with (
        slim.arg_scope(
            [slim.conv2d],
            weights_initializer=tf.ones_initializer(),
            activation_fn=None,
            biases_initializer=None,
        ),
        slim.arg_scope([slim.batch_norm], is_training=False, epsilon=0.0),
    ):
        net = nasnet_utils.factorized_reduction(ramp, 2, stride=2, data_format="NHWC")
    even, odd = np.moveaxis(evaluate(net)[0], -1, 0)
    np.testing.assert_allclose(even, [[0, 2], [6, 8]])
    np.testing.assert_allclose(odd, [[4, 0], [0, 0]])


def test_drop_path_drops_whole_examples():
    tf.set_random_seed(0)
    dropped = evaluate(nasnet_utils.drop_path(tf.ones([1000, 2, 2, 1]), 0.8))
    per_example = dropped.reshape(1000, -1)
    assert (per_example == per_example[:, :1]).all()
    np.testing.assert_allclose(np.unique(per_example), [0, 1.25])
    assert per_example.mean() == pytest.approx(1, abs=0.05)


def test_drop_path_does_nothing_outside_training():
    net = tf.ones([2, 2, 2, 1])
    assert nasnet_utils.drop_path(net, 0.5, is_training=False) is net


@pytest.mark.parametrize(
    ("cell_num", "step", "expected"),
    [(0, 0, 1.0), (9, STEPS, 0.6), (9, STEPS // 2, 0.8), (4, STEPS, 0.8), (9, 10 * STEPS, 0.6)],
)
def test_later_cells_and_steps_drop_more(cell_num, step, expected):
    cell = nasnet_utils.NasNetANormalCell(4, 0.6, total_num_cells=10, total_training_steps=STEPS)
    assert evaluate(cell._keep_prob(cell_num, step)) == pytest.approx(expected)


def test_unknown_operation():
    cell = nasnet_utils.NasNetABaseCell(4, ["conv_3x3"] * 2, [0, 0, 0], [0, 1], 1.0, 1, STEPS)
    with (
        slim.arg_scope([nasnet_utils.get_channel_index], data_format="NHWC"),
        pytest.raises(errors.UserError, match=r"'conv_3x3'; allowed: separable"),
    ):
        cell(tf.zeros([1, 4, 4, 4]), scope="cell")


def test_unknown_setting():
    with pytest.raises(errors.UserError, match="Did you mean 'num_cells'"):
        nasnet.cifar_config().set_hparam("num_cell", 3)


@pytest.mark.parametrize("of_tensorflow_1", [False, True])
def test_configuration_is_not_changed(of_tensorflow_1):
    config = nasnet.cifar_config()
    if of_tensorflow_1:
        config = tf.contrib.training.HParams(**config.values())
    config.set_hparam("num_cells", 3)
    before = config.values()
    _, end_points = nasnet.build_nasnet_cifar(images(32), 10, is_training=False, config=config)
    assert config.values() == before
    assert "Cell_2" in end_points
    assert "Cell_3" not in end_points


class RecordingCell:
    """Stands for a cell; notes the scope of each with the names of its two inputs."""

    def __init__(self, *args):
        RecordingCell.arguments = args

    def __call__(self, net, scope, prev_layer, **kwargs):
        name = prev_layer if prev_layer is None else prev_layer.op.name
        RecordingCell.found[scope] = (net.op.name, name)
        return tf.identity(net, name=scope)


# What the original's loops give, worked out by hand: PNASNet updates the second input before each
# cell, NASNet's cell after a reduction takes it before or after the reduction cell.
SECOND_INPUTS = [
    ("pnasnet", 1, {"cell_1": "cell_stem_1", "cell_2": "cell_0", "cell_3": "cell_1"}),
    ("pnasnet", 0, {"cell_1": "cell_stem_1", "cell_2": "cell_stem_1", "cell_3": "cell_1"}),
    ("nasnet", 1, {"reduction_cell_0": "cell_0", "cell_2": "cell_0", "cell_3": "reduction_cell_0"}),
    ("nasnet", 0, {"reduction_cell_0": "cell_0", "cell_2": "cell_1", "cell_3": "reduction_cell_0"}),
]


@pytest.mark.parametrize(("family", "skip", "expected"), SECOND_INPUTS)
def test_second_inputs_around_a_reduction(monkeypatch, family, skip, expected):
    RecordingCell.found = {}
    config = (pnasnet if family == "pnasnet" else nasnet).mobile_imagenet_config()
    config.set_hparam("num_cells", 6)  # Reductions at 2 and 4.
    config.set_hparam("skip_reduction_layer_input", skip)
    cell_network.build_network(
        images(64),
        None,
        False,
        config,
        normal_cell=RecordingCell,
        reduction_cell=RecordingCell if family == "nasnet" else None,
    )
    second = {scope: name for scope, (_, name) in RecordingCell.found.items()}
    assert {scope: second[scope].rpartition("/")[2] for scope in expected} == expected


@pytest.mark.parametrize("reductions", [1, 2, 3])
@pytest.mark.parametrize(
    ("stem", "has_reductions", "further"),
    [("imagenet", True, 4), ("cifar", True, 2), ("imagenet", False, 2)],
    ids=["nasnet_imagenet", "nasnet_cifar", "pnasnet"],
)
def test_drop_path_counts_two_reduction_cells_however_many_there_are(
    stem, has_reductions, further, reductions
):
    """As the original adds 2 for them, so that the rates of published training stay."""
    RecordingCell.found = {}
    config = nasnet.mobile_imagenet_config()
    config.set_hparam("num_cells", 8)
    config.set_hparam("num_reduction_layers", reductions)
    cell_network.build_network(
        images(64),
        None,
        True,
        config,
        normal_cell=RecordingCell,
        reduction_cell=RecordingCell if has_reductions else None,
        stem=stem,
    )
    assert RecordingCell.arguments[2] == 8 + further


@pytest.mark.parametrize(
    ("name", "build", "kwargs"),
    [
        ("nasnet_cifar", nasnet.build_nasnet_cifar, {"size": 3}),
        ("pnasnet_mobile", pnasnet.build_pnasnet_mobile, {"size": 19}),
    ],
)
def test_smallest_images_give_the_published_variables(name, build, kwargs):
    golden = golden_files.load(f"variables/{name}.json")
    with slim.arg_scope(nasnet.nasnet_mobile_arg_scope()):
        build(images(**kwargs), None, is_training=False)
    published = dict(golden["trainable"])
    built = {v.op.name: v.shape.as_list() for v in tf.trainable_variables()}
    heads = {v for v in published if v.startswith(("aux_", "final_layer/"))}
    assert built == {v: shape for v, shape in published.items() if v not in heads}


def test_images_of_unknown_size():
    with pytest.raises(errors.UserError, match="known height and width"):
        nasnet.build_nasnet_cifar(images(None), 10)


def test_final_endpoint_stops_in_front_of_the_auxiliary_head():
    config = nasnet.mobile_imagenet_config()
    config.set_hparam("num_cells", 3)
    net, end_points = nasnet.build_nasnet_mobile(
        images(32), 10, final_endpoint="Cell_1", config=config
    )
    assert list(end_points) == ["Stem", "Cell_0", "Reduction_Cell_0", "Cell_1"]
    assert net is end_points["Cell_1"]
    assert not [v for v in tf.global_variables() if v.op.name.startswith("aux_")]


def test_unknown_final_endpoint():
    with pytest.raises(errors.UserError, match="Cell_8, global_pool"):
        pnasnet.build_pnasnet_mobile(images(32), 10, final_endpoint="Cell_9")
