"""Takes weights from one library to the other and back, and refuses what is not exact."""

import json
import os
import struct

import h5py
import numpy as np
import pytest

from slim_internal.ground.compat import tf
from slim_internal.ground.errors import UserError
from slim_internal.parts.checkpoints.converters import convert, keras_file, safetensors
from tests.slim_internal.parts.checkpoints import small_weights

_CLASSES = 4


def _checkpoint(path, network):
    """Saves random weights of a network with few classes; returns path and values."""
    shapes = convert.main_shapes(convert.nets_factory.get_network(network), _CLASSES)
    values = small_weights.values(shapes)
    return small_weights.save(path, values), values


def _assert_holds(checkpoint, values):
    reader = tf.train.NewCheckpointReader(str(checkpoint))
    assert reader.get_variable_to_shape_map().keys() == values.keys()
    for name, value in values.items():
        np.testing.assert_array_equal(reader.get_tensor(name), value)


@pytest.fixture(scope="module")
def keras_weights(tmp_path_factory):
    """The smallest MobileNet as slim has it and as a file of Keras."""
    folder = tmp_path_factory.mktemp("keras")
    checkpoint, values = _checkpoint(folder / "in.ckpt", "mobilenet_v1_025")
    path = str(folder / "w.weights.h5")
    convert.from_slim("mobilenet_v1_025", checkpoint, path)
    return path, values


@pytest.fixture(scope="module")
def timm_weights(tmp_path_factory):
    """A small MobileNet v3 as slim has it and as a file of timm."""
    folder = tmp_path_factory.mktemp("timm")
    checkpoint, values = _checkpoint(folder / "in.ckpt", "mobilenet_v3_small_minimalistic")
    path = str(folder / "w.safetensors")
    convert.from_slim("mobilenet_v3_small_minimalistic", checkpoint, path)
    return path, values


def test_to_keras_and_back_is_exact(tmp_path, keras_weights):
    path, values = keras_weights
    done = convert.to_slim("mobilenet_v1_025", path, str(tmp_path / "out.ckpt"))
    assert (done.variables, done.num_classes, done.initialized) == (137, _CLASSES, ())
    _assert_holds(done.path, values)
    assert sorted(os.listdir(tmp_path)) == ["out.ckpt.data-00000-of-00001", "out.ckpt.index"]


def test_to_timm_and_back_is_exact(tmp_path, timm_weights):
    path, values = timm_weights
    done = convert.to_slim("mobilenet_v3_small_minimalistic", path, str(tmp_path / "out.ckpt"))
    assert (done.variables, done.num_classes) == (174, _CLASSES)
    _assert_holds(done.path, values)
    tensors = safetensors.read(path)
    stem = values["MobilenetV3/Conv/weights"]
    np.testing.assert_array_equal(tensors["conv_stem.weight"], stem.transpose(3, 2, 0, 1))
    assert tensors["classifier.weight"].shape == (_CLASSES, 1024)


def test_older_files_of_keras(tmp_path, keras_weights):
    path, values = keras_weights
    tensors = keras_file.read(path)
    layers = list(dict.fromkeys(name.rpartition("/")[0] for name in tensors))
    older = tmp_path / "older.h5"
    with h5py.File(older, "w") as file:
        file.attrs["layer_names"] = [*layers, "flatten"]
        file.create_group("flatten").attrs["weight_names"] = []
        for layer in layers:
            names = [name for name in tensors if name.rpartition("/")[0] == layer]
            file.create_group(layer).attrs["weight_names"] = names
            for name in names:
                file[layer][name] = tensors[name]
    done = convert.to_slim("mobilenet_v1_025", str(older), str(tmp_path / "out.ckpt"))
    _assert_holds(done.path, values)


def test_auxiliary_heads_are_initialized(tmp_path):
    checkpoint, values = _checkpoint(tmp_path / "in.ckpt", "inception_v3")
    file = str(tmp_path / "w.safetensors")
    convert.from_slim("inception_v3", checkpoint, file)
    assert (safetensors.read(file)["Mixed_5b.branch1x1.bn.weight"] == 1).all()
    done = convert.to_slim("inception_v3", file, str(tmp_path / "out.ckpt"))
    assert done.variables == 378
    assert {name.split("/")[1] for name in done.initialized} == {"AuxLogits"}
    assert "AuxLogits" in done.summary()
    reader = tf.train.NewCheckpointReader(done.path)
    assert reader.get_variable_to_shape_map().keys() == {*values, *done.initialized}


def _drop(name):
    return lambda tensors: tensors.pop(name)


def _set(name, change):
    return lambda tensors: tensors.update({name: change(np.array(tensors[name]))})


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (_drop("conv_stem.weight"), r"1 \(conv_stem\.weight\) missing"),
        (_drop("classifier.bias"), "with its classifier: classifier.bias is missing"),
        (lambda tensors: tensors.update(extra=np.ones(3)), r"1 \(extra\) unknown"),
        (
            _set("conv_stem.weight", lambda tensor: tensor[:, :, :2]),
            r"conv_stem\.weight has shape \[16, 3, 2, 3\]",
        ),
        (_set("bn1.bias", lambda tensor: tensor * np.nan), "not finite"),
    ],
)
def test_not_exact(tmp_path, timm_weights, harm, message):
    tensors = safetensors.read(timm_weights[0])
    harm(tensors)
    safetensors.write(str(tmp_path / "w.safetensors"), tensors)
    with pytest.raises(UserError, match=message):
        convert.to_slim(
            "mobilenet_v3_small_minimalistic",
            str(tmp_path / "w.safetensors"),
            str(tmp_path / "out.ckpt"),
        )
    assert os.listdir(tmp_path) == ["w.safetensors"]


def test_a_factor_that_slim_does_not_have(tmp_path):
    rule = convert.Rule("x.bn.weight", "x/BatchNorm/beta", ones=True)
    assert convert.as_in_slim(rule, np.ones(3), [3])[1] is None
    assert "not all ones" in convert.as_in_slim(rule, np.full(3, 1.5), [3])[1]


def test_vgg_reads_blue_green_red():
    layout = convert.rules.REVERSED_CHANNELS
    kernel = np.random.default_rng(0).normal(size=(3, 3, 3, 4))
    image = np.random.default_rng(1).normal(size=(3, 3, 3))
    expected = np.einsum("hwc,hwcf->f", image[:, :, ::-1], kernel)
    ours = layout.to_slim(kernel, kernel.shape)
    np.testing.assert_allclose(np.einsum("hwc,hwcf->f", image, ours), expected)
    np.testing.assert_array_equal(layout.from_slim(ours), kernel)
    variables = {"vgg_16/conv1/conv1_1/weights": [3, 3, 3, 64], "vgg_16/fc6/weights": [7, 7, 8, 9]}
    first, dense = convert.keras.mapping("vgg_16", variables)
    assert (first.layout, dense.layout) == (layout, convert.rules.DENSE)


@pytest.mark.parametrize(
    ("network", "file", "message"),
    [
        ("resnet_v1_50", "w.h5", "Keras puts the stride of a stage into the first 1x1"),
        ("resnet_v1_50", "w.safetensors", "first pooling pads differently"),
        ("resnet_v2_50", "w.keras", "first pooling pads differently"),
        ("lenet", "w.h5", "Unknown network with a counterpart in Keras 'lenet'. .*Allowed: incep"),
        ("inception_v33", "w.h5", "Did you mean 'inception_v3'"),
        (
            "inception_v3",
            "w.pth",
            "no known ending: .h5, .keras are of Keras, .safetensors of timm",
        ),
        ("inception_v3", "absent.h5", "There is no file"),
    ],
)
def test_refused(tmp_path, network, file, message):
    with pytest.raises(UserError, match=message):
        convert.to_slim(network, str(tmp_path / file), str(tmp_path / "out.ckpt"))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("w.safetensors", b""),
        ("w.safetensors", struct.pack("<Q", 1 << 40) + b"{}"),
        ("w.safetensors", struct.pack("<Q", 2) + b"[]"),
        ("w.h5", b"not HDF5"),
        ("w.keras", b"PK\x05\x06" + bytes(18)),
    ],
)
def test_damaged_files(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=r"is not a (complete .safetensors|file of weights)"):
        convert.to_slim("inception_v3", str(tmp_path / name), str(tmp_path / "out.ckpt"))


@pytest.mark.parametrize("offsets", [[0, 8], [0, 16], [-4, 4], [8, 0]])
def test_tensors_outside_the_file(tmp_path, offsets):
    header = json.dumps({"x": {"dtype": "F32", "shape": [2], "data_offsets": offsets}}).encode()
    path = tmp_path / "w.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(8))
    if offsets == [0, 8]:
        assert safetensors.read(str(path))["x"].tolist() == [0, 0]
    else:
        with pytest.raises(UserError, match="x lies outside the file"):
            safetensors.read(str(path))


def test_half_precision(tmp_path):
    path = tmp_path / "w.safetensors"
    header = json.dumps({"x": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + b"\xc0\x3f\x00\xc0")
    assert safetensors.read(str(path))["x"].astype(np.float32).tolist() == [1.5, -2]


@pytest.mark.parametrize(
    ("checkpoint", "output", "message"),
    [
        ("mobilenet_v3", "out.h5", r"must end with \.weights\.h5 for Keras"),
        ("mobilenet_v3", "out.safetensors", "does not fit inception_v4|holds no classifier"),
    ],
)
def test_other_checkpoints_are_refused(tmp_path, checkpoint, output, message):
    path = small_weights.save(tmp_path / f"{checkpoint}.ckpt", {"x": np.ones(3, np.float32)})
    network = "inception_v3" if output.endswith(".h5") else "mobilenet_v3_small"
    with pytest.raises(UserError, match=message):
        convert.from_slim(network, path, str(tmp_path / output))
    assert not (tmp_path / output).exists()
