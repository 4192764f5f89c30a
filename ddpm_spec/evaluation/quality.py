"""Four figures for a set of samples, by statistics that need no other network.

Images are compared as they are: vectors of grey levels (0..16 for the digits). Three figures say
how good samples look and how varied they are; a model that stores its training images does well in all three.
The fourth, the distance to the nearest training image, tells the two apart.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ddpm_spec.data import Images
from ddpm_spec.evaluation.bound import spread

if TYPE_CHECKING:
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.neighbors import NearestNeighbors

__all__ = ["Figures", "Judge", "class_gaussians", "frechet", "has_judge", "kernel_density", "why_no_judge"]

Vectors = NDArray[np.float64]
CLASSIFIER = 5000
FOLDS = 5


@dataclass(frozen=True)
class Figures:
    """What is said of one set of samples."""

    confidence: float
    """Mean top-class probability of a classifier of real digits, over what it gives held-out digits."""
    rarest_class: float
    """Share of the class that the classifier sees least often."""
    frechet: float
    """Fréchet distance to the training images, in squared grey levels."""
    novelty: float
    """Median distance to the nearest training image, over that of the held-out images."""

    @property
    def memorised(self) -> bool:
        """Whether samples lie closer to the training images than new images do."""
        return self.novelty < 0.8


def vectors(images: ArrayLike) -> Vectors:
    """(N, C, H, W) grey levels as (N, C·H·W) floats."""
    array = np.asarray(images, dtype=np.float64)
    return array.reshape(len(array), -1)


def frechet(a: Vectors, b: Vectors) -> float:
    """‖m_a − m_b‖² + tr(C_a + C_b − 2(C_a C_b)^½), the squared 2-Wasserstein distance of two Gaussians.

    `a`, `b`: (N, D) and (M, D). The trace of the root is taken from C_a^½ C_b C_a^½, which is symmetric
    and has the same eigenvalues; pixels that never change are no trouble.
    """
    c_a, c_b = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    values, basis = np.linalg.eigh(c_a)
    root = basis * np.sqrt(values.clip(0)) @ basis.T
    cross = np.sqrt(np.linalg.eigvalsh(root @ c_b @ root).clip(0)).sum()
    gap = a.mean(axis=0) - b.mean(axis=0)
    return float(gap @ gap + np.trace(c_a) + np.trace(c_b) - 2 * cross)


def has_judge(images: Images) -> bool:
    """Whether there are figures for these images: grey ones with classes that a classifier can learn."""
    return images.shape[0] == 1 and len(images.train_labels) > 0 and not why_no_judge(images)


def why_no_judge(images: Images) -> str:
    """What keeps grey images with labels from being judged, if anything; for others there is Inception."""
    if images.shape[0] != 1 or not len(images.train_labels):
        return ""
    _, counts = np.unique(images.train_labels[_some(len(images.train_labels))], return_counts=True)
    if len(counts) == 1:
        return "all training images are of one class"
    # The calibration leaves out a fifth of each class in turn, and needs an image of each in the rest.
    if counts.min() < 2:
        return "a class has 1 training image, and the classifier needs 2 of each"
    if counts.max() < FOLDS:
        return (
            f"no class has more than {counts.max()} training images, and the classifier needs {FOLDS} of one"
        )
    if 2 * images.copies > len(images.held_out):  # their median distance to the training images is 0
        return "most held-out images are training images too, so that they are no measure"
    return ""


def _some(count: int) -> NDArray[np.int64]:
    """The training images that the classifier learns from."""
    return spread(min(count, CLASSIFIER), count).numpy()


@dataclass(frozen=True, eq=False)
class Judge:
    """Figures of samples against one data set; knows nothing of the model."""

    images: Images

    @cached_property
    def train(self) -> Vectors:
        """The training images."""
        return vectors(self.images.whole())

    @cached_property
    def classifier(self) -> "CalibratedClassifierCV":
        """An RBF support vector machine on at most 5,000 training images, with calibrated probabilities."""
        from sklearn.calibration import CalibratedClassifierCV  # takes as long as torch to import
        from sklearn.svm import SVC

        some = _some(len(self.train))
        # 0.001 suits 64 pixels of 16 levels: squared distances grow with both.
        pixels, levels = self.train.shape[1], self.images.levels
        gamma = 0.001 * (64 / pixels) * (16 / (levels - 1)) ** 2
        machine = CalibratedClassifierCV(SVC(gamma=gamma), cv=FOLDS, ensemble=False)
        return machine.fit(self.train[some], self.images.train_labels[some])

    @cached_property
    def neighbours(self) -> "NearestNeighbors":
        """Finds the nearest training image."""
        from sklearn.neighbors import NearestNeighbors  # as above

        return NearestNeighbors(n_neighbors=1).fit(self.train)

    def distance(self, samples: ArrayLike) -> dict[str, float]:
        """Fréchet distance of these images to the training and the held-out images, squared grey levels."""
        x, held_out = vectors(samples), vectors(self.images.held_out)
        return {"train": frechet(x, self.train), "test": frechet(x, held_out)}

    @cached_property
    def reference(self) -> tuple[float, float]:
        """Mean top-class probability and median nearest distance of the held-out images."""
        return self._confidence_and_distance(vectors(self.images.held_out))

    def _confidence_and_distance(self, x: Vectors) -> tuple[float, float]:
        confidence = self.classifier.predict_proba(x).max(axis=1).mean()
        return float(confidence), float(np.median(self.neighbours.kneighbors(x)[0]))

    def figures(self, samples: ArrayLike) -> Figures:
        """The four figures of these samples, (N, C, H, W) grey levels."""
        x = vectors(samples)
        confidence, distance = self._confidence_and_distance(x)
        classes = self.classifier.classes_
        seen = self.classifier.predict(x)
        return Figures(
            confidence / self.reference[0],
            float((seen[:, None] == classes).mean(axis=0).min()),
            frechet(x, self.train),
            distance / self.reference[1],
        )


def class_gaussians(images: Images, count: int, seed: int) -> Vectors:
    """Samples of one Gaussian a class, rounded to grey levels: a model without memory.

    Each class has its mean and covariance in the training images and its share of the samples.
    """
    random, train = np.random.default_rng(seed), vectors(images.whole())
    labels = random.choice(images.train_labels, count)
    x = np.empty((count, train.shape[1]))
    for label in np.unique(labels):
        own = train[images.train_labels == label]
        # A pixel that never changes leaves the covariance singular; eigh does not mind.
        x[labels == label] = random.multivariate_normal(
            own.mean(axis=0), np.cov(own, rowvar=False), int((labels == label).sum()), method="eigh"
        )
    return x.round().clip(0, images.levels - 1)


def kernel_density(images: Images, count: int, seed: int) -> Vectors:
    """Samples of a kernel density estimate, rounded to grey levels: a model of pure memory.

    A training image plus Gaussian noise of half a grey level, which is the kernel.
    """
    random, train = np.random.default_rng(seed), vectors(images.whole())
    x = random.choice(train, count) + random.normal(0, 0.5, (count, train.shape[1]))
    return x.round().clip(0, images.levels - 1)
