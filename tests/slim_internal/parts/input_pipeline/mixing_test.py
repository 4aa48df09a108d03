"""Mixes batches of images that are each of one value, so that a mean tells the proportion."""

import numpy as np
import pytest

from slim_internal.ground.compat import tf
from slim_internal.parts.input_pipeline import mixing

_SIZE = 20
_IMAGES = np.zeros([4, _SIZE, _SIZE, 1], np.float32) + np.arange(4).reshape(4, 1, 1, 1).astype(
    np.float32
)
_TARGETS = np.eye(4, dtype=np.float32)


def _mix(steps, seed=1, **alphas):
    with tf.Graph().as_default(), tf.Session() as session:
        step = tf.placeholder(tf.int64, [])
        images, mix_labels = mixing.mix(tf.constant(_IMAGES), alphas, seed, step)
        mixed = images, mix_labels(tf.constant(_TARGETS))
        return [session.run(mixed, {step: number}) for number in steps]


@pytest.mark.parametrize("name", mixing.MIXINGS)
def test_labels_are_mixed_as_the_images_are(name):
    fractions = []
    for images, targets in _mix(range(20), **{name: 1.0}):
        np.testing.assert_allclose(targets.sum(axis=1), 1, rtol=1e-6)
        np.testing.assert_allclose(images.mean(axis=(1, 2, 3)), targets @ np.arange(4), rtol=1e-5)
        fractions.append(targets[0, 0])
    assert 0 <= min(fractions) < 0.4
    assert 0.6 < max(fractions) <= 1
    assert len(set(fractions)) > 10


def test_mixup_fades():
    ((images, targets),) = _mix([0], mixup=1.0)
    np.testing.assert_allclose(images[0], np.full([_SIZE, _SIZE, 1], 3 * targets[0, 3]), rtol=1e-5)


def test_cutmix_pastes_a_rectangle_at_its_place():
    for images, targets in _mix(range(5), cutmix=1.0):
        assert set(np.unique(images[0])) <= {0, 3}
        rows, columns = np.nonzero(images[0, :, :, 0] == 3)
        area = (np.ptp(rows) + 1) * (np.ptp(columns) + 1) if rows.size else 0
        assert rows.size == area == pytest.approx(targets[0, 3] * _SIZE**2, rel=1e-4)


def test_depends_on_seed_and_step_alone():
    first, second, again = _mix([0, 1, 0], mixup=1.0, cutmix=1.0)
    np.testing.assert_array_equal(first[0], again[0])
    assert not np.array_equal(first[0], second[0])
    assert not np.array_equal(first[0], _mix([0], seed=2, mixup=1.0, cutmix=1.0)[0][0])


def test_several_take_turns():
    faded = [len(np.unique(images[0])) == 1 for images, _ in _mix(range(20), mixup=1, cutmix=1)]
    assert 3 < sum(faded) < 17


@pytest.mark.parametrize("alphas", [{}, {"mixup": 0.0, "cutmix": 0.0}])
def test_off(alphas):
    ((images, targets),) = _mix([0], **alphas)
    np.testing.assert_array_equal(images, _IMAGES)
    np.testing.assert_array_equal(targets, _TARGETS)


def test_tiny_alpha_hardly_mixes():
    for _, targets in _mix(range(5), mixup=1e-3):
        assert np.max(targets, axis=1) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_fractions_are_of_the_beta_distribution(alpha):
    fractions = np.array([targets[0, 0] for _, targets in _mix(range(600), mixup=alpha)])
    assert fractions.mean() == pytest.approx(0.5, abs=0.06)
    assert fractions.var() == pytest.approx(0.25 / (2 * alpha + 1), rel=0.2)
