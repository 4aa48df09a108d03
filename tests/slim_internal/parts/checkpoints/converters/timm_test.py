"""Compares logits with timm itself, where torch and timm are installed; they are not in the lock.

pip install torch timm
python -m pytest tests/slim_internal/parts/checkpoints/converters/timm_test.py -rs
"""

import numpy as np
import pytest

from nets import nets_factory
from slim_internal.ground.compat import tf
from slim_internal.parts.checkpoints.converters import convert, safetensors

_MODELS = {
    "mobilenet_v3_small_minimalistic": ("tf_mobilenetv3_small_minimal_100", 64),
    "mobilenet_v3_small": ("tf_mobilenetv3_small_100", 64),
    "inception_v4": ("inception_v4", 299),
}
# slim's squeeze-and-excite multiplies by 0.16667, timm divides by 6.
_TOLERANCE = {"mobilenet_v3_small": 2e-3}
_CLASSES = 5


@pytest.mark.parametrize("network", _MODELS)
def test_logits_are_those_of_timm(tmp_path, network):
    torch = pytest.importorskip("torch", reason="torch is not installed: timm not compared")
    timm = pytest.importorskip("timm", reason="timm is not installed: not compared")
    name, size = _MODELS[network]
    model = timm.create_model(name, pretrained=False, num_classes=_CLASSES).eval()
    random = np.random.default_rng(3)
    for key, tensor in model.state_dict().items():
        if key.endswith("running_var"):
            tensor.copy_(torch.from_numpy(random.uniform(0.5, 1.5, tensor.shape)))
        elif key.endswith(("running_mean", "bias")):
            tensor.copy_(torch.from_numpy(random.normal(0, 0.1, tensor.shape)))
    images = random.uniform(-1, 1, (2, size, size, 3)).astype(np.float32)
    with torch.no_grad():
        expected = model(torch.from_numpy(images.transpose(0, 3, 1, 2).copy())).numpy()
    tensors = {key: tensor.numpy() for key, tensor in model.state_dict().items()}
    safetensors.write(str(tmp_path / "w.safetensors"), tensors)

    done = convert.to_slim(network, str(tmp_path / "w.safetensors"), str(tmp_path / "w.ckpt"))
    with tf.Graph().as_default(), tf.Session() as session:
        fed = tf.placeholder(tf.float32, images.shape)
        logits, _ = nets_factory.get_network_fn(network, _CLASSES)(fed)
        tf.train.Saver(tf.global_variables()).restore(session, done.path)
        got = session.run(logits, {fed: images})
    tolerance = _TOLERANCE.get(network, 1e-4) * expected.std()
    np.testing.assert_allclose(got, expected, rtol=0, atol=tolerance)

    back = str(tmp_path / "back.safetensors")
    convert.from_slim(network, done.path, back)
    state = {key: torch.from_numpy(value.copy()) for key, value in safetensors.read(back).items()}
    loaded = timm.create_model(name, pretrained=False, num_classes=_CLASSES).eval()
    missing = loaded.load_state_dict(state, strict=False)
    assert not missing.unexpected_keys
    assert all(key.endswith("num_batches_tracked") for key in missing.missing_keys)
    with torch.no_grad():
        again = loaded(torch.from_numpy(images.transpose(0, 3, 1, 2).copy())).numpy()
    np.testing.assert_array_equal(again, expected)
