"""The figures of merit against independent definitions and laws whose distance is known."""

import dataclasses

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm

from ddpm_spec.data import load
from ddpm_spec.evaluation.bound import histogram_bits, spread
from ddpm_spec.evaluation.quality import Figures, Judge, class_gaussians, frechet, kernel_density, vectors


@pytest.fixture(scope="module")
def images():
    return load("digits")


@pytest.fixture(scope="module")
def judge(images):
    return Judge(images)


def test_frechet_by_scipys_matrix_root():
    random = np.random.default_rng(0)
    a = random.normal(size=(50, 5)) @ random.normal(size=(5, 5)) + 1
    b = random.normal(size=(70, 5)) @ random.normal(size=(5, 5))
    c_a, c_b = np.cov(a.T), np.cov(b.T)
    gap = a.mean(0) - b.mean(0)
    expected = gap @ gap + np.trace(c_a + c_b - 2 * sqrtm(c_a @ c_b).real)
    assert frechet(a, b) == pytest.approx(expected, rel=1e-10)
    assert frechet(a, b) == pytest.approx(frechet(b, a), rel=1e-10)


def test_frechet_of_known_gaussians():
    """With orthogonal data of exact moments: mean shift 3, standard deviations 2 and 5, 1 and 1."""
    corners = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]]) * np.sqrt(3 / 4)  # covariance I
    a, b = corners * [2, 1], corners * [5, 1] + [3, 0]
    assert frechet(a, b) == pytest.approx(9 + (5 - 2) ** 2, rel=1e-12)
    assert frechet(a, a) == pytest.approx(0, abs=1e-12)


def test_frechet_reproduces_its_reference_numbers_on_the_digits(images):
    """The unit is squared grey levels of 0..16: 87 for held-out digits, 24 to 31 for 256 training ones."""
    train = vectors(images.train)
    assert frechet(vectors(images.held_out), train) == pytest.approx(86.7, abs=0.05)
    random = np.random.default_rng(0)
    some = [frechet(train[random.choice(1500, 256, replace=False)], train) for _ in range(6)]
    assert 22 < min(some) < max(some) < 31


def test_held_out_digits_are_the_measure_of_two_figures(judge, images):
    figures = judge.figures(images.held_out)
    assert figures.confidence == pytest.approx(1, rel=1e-12)
    assert figures.novelty == pytest.approx(1, rel=1e-12)
    distances = [np.sqrt(((judge.train - x) ** 2).sum(1)).min() for x in vectors(images.held_out)]
    assert judge.reference[1] == pytest.approx(np.median(distances), rel=1e-9)


def test_memory_passes_three_figures_and_fails_the_fourth(judge, images):
    stored = judge.figures(images.train[:256])
    assert stored.confidence > 0.97
    assert stored.novelty == 0
    assert stored.memorised
    kernel = judge.figures(kernel_density(images, 256, seed=0))
    assert kernel.confidence > 0.97
    assert kernel.rarest_class > 0.03
    assert kernel.frechet < 52
    assert kernel.memorised


def test_a_gaussian_a_class_is_no_memory(judge, images):
    samples = class_gaussians(images, 256, seed=0)
    assert (samples == samples.round()).all()
    assert 0 <= samples.min() < samples.max() <= 16
    assert not judge.figures(samples).memorised


def test_a_missing_class_and_noise_are_seen(judge, images):
    no_threes = images.train[torch.from_numpy(images.train_labels != 3)][:300]
    assert judge.figures(no_threes).rarest_class < 0.03
    noise = np.random.default_rng(0).integers(0, 17, (256, 64))
    figures = judge.figures(noise)
    assert figures.frechet > 1000
    assert figures.novelty > 2


def test_memorisation_begins_below_four_fifths():
    figures = Figures(1, 0.1, 30, 0.8)
    assert not figures.memorised
    assert dataclasses.replace(figures, novelty=0.79).memorised


def test_histogram_of_independent_pixels(images):
    """The number an expert would compare with, from a plain double loop."""
    train, test = vectors(images.train).astype(int), vectors(images.held_out).astype(int)
    bits = [
        -np.log2((np.sum(train[:, j] == x) + 1) / (len(train) + 17))
        for image in test[::30]
        for j, x in enumerate(image)
    ]
    assert histogram_bits(images, images.held_out[::30]) == pytest.approx(np.mean(bits), rel=1e-12)
    assert histogram_bits(images, images.held_out) == pytest.approx(2.366, abs=5e-4)


def test_spread_takes_every_part_of_the_file():
    assert spread(4, 10).tolist() == [0, 2, 5, 7]
    assert spread(297, 297).tolist() == list(range(297))
