"""The embedded feature distance: what it is exactly, and that it tells good from bad."""

import numpy as np
import pytest

from ddpm_spec.evaluation import features as module
from ddpm_spec.evaluation.features import Features
from ddpm_spec.evaluation.quality import frechet


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """A tenth of the training: enough to tell classes apart."""
    monkeypatch.setattr(module, "UPDATES", 200)


@pytest.fixture(scope="module")
def fitted(images):
    features = Features(images)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "UPDATES", 200)
        assert features.accuracy > 0.8
    return features


def test_features_are_the_last_hidden_layer(fitted, images):
    """The classifier's own probabilities follow from them by its last layer."""
    found = fitted.of(images.held_out)
    assert found.shape == (297, 64)
    assert found.min() == 0
    scores = found @ fitted.classifier.coefs_[-1] + fitted.classifier.intercepts_[-1]
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    x = images.held_out.flatten(1).double().numpy() / 16
    assert odds / odds.sum(axis=1, keepdims=True) == pytest.approx(fitted.classifier.predict_proba(x))


def test_the_seed_decides(fitted, images):
    again, other = Features(images), Features(images, seed=1)
    some = images.held_out[:50]
    assert np.array_equal(again.of(some), fitted.of(some))
    assert not np.allclose(other.of(some), fitted.of(some))


def test_distances_are_to_training_and_held_out_images(fitted, images):
    some = images.train[:200]
    found = fitted.distance(some)
    train, test = fitted.of(images.train), fitted.of(images.held_out)
    assert found == {"train": frechet(fitted.of(some), train), "test": frechet(fitted.of(some), test)}
    # The root of a singular covariance is known to the root of the precision.
    error = np.sqrt(np.finfo(float).eps) * np.trace(np.cov(train.T))
    assert fitted.distance(images.train)["train"] == pytest.approx(0, abs=error)


def test_noise_is_further_off_than_other_writers(fitted, images):
    noise = np.random.default_rng(0).integers(0, 17, (297, 1, 8, 8))
    blurred = (images.held_out[:, :, :, [0, *range(7)]].float() + images.held_out) / 2
    near, far, further = (fitted.distance(x)["train"] for x in (images.held_out, blurred, noise))
    assert near < far < further


def test_training_takes_as_many_epochs_as_hold_the_updates(fitted):
    assert fitted.classifier.n_iter_ == -(-200 * 128 // 1500)
    assert fitted.classifier.hidden_layer_sizes == (256, 64)
    assert fitted.classifier.coefs_[0].dtype == np.float64
