"""A Fréchet distance in features that fit the data: for small grey images, which Inception was not made for.

It is no FID: another network, other images, other numbers. It compares models of one data set with each
other and with held-out images, and nothing else.
"""

import math
import warnings
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from ddpm_spec.data.images import Images
from ddpm_spec.evaluation.quality import Vectors, frechet, vectors

if TYPE_CHECKING:
    from sklearn.neural_network import MLPClassifier

__all__ = ["Features"]

HIDDEN = (256, 64)
BATCH = 128
UPDATES = 2000


@dataclass(frozen=True, eq=False)
class Features:
    """The last hidden layer of a perceptron that tells the classes of the training images apart.

    Grey levels scaled to [0, 1], hidden layers of 256 and 64 units with ReLU, ten-way softmax (or as many
    classes as there are), cross-entropy with the weight penalty 1e-4, Adam at 1e-3, batches of 128, as
    many epochs as hold 2,000 updates (at least 5), all in float64. The initial weights and the batches
    follow from the seed.
    """

    images: Images
    seed: int = 0

    @cached_property
    def classifier(self) -> "MLPClassifier":
        """The trained perceptron."""
        from sklearn.exceptions import ConvergenceWarning  # takes as long as torch to import
        from sklearn.neural_network import MLPClassifier

        train, labels = self._scaled(self.images.whole()), self.images.train_labels
        epochs = max(5, math.ceil(UPDATES * BATCH / len(train)))
        machine = MLPClassifier(HIDDEN, batch_size=min(BATCH, len(train)), max_iter=epochs,
                                n_iter_no_change=epochs, random_state=self.seed)  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # the number of epochs is the rule
            return machine.fit(train, labels)

    @cached_property
    def accuracy(self) -> float | None:
        """Share of the held-out images that it names rightly; None where they have no labels."""
        if not len(self.images.held_out_labels):
            return None
        held_out = self._scaled(self.images.held_out)
        return float(self.classifier.score(held_out, self.images.held_out_labels))

    def _scaled(self, images: ArrayLike) -> Vectors:
        return vectors(images) / (self.images.levels - 1)

    def of(self, images: ArrayLike) -> Vectors:
        """The features of these images, (N, C, H, W) grey levels: shape (N, 64)."""
        x = self._scaled(images)
        layers = zip(self.classifier.coefs_[:-1], self.classifier.intercepts_[:-1], strict=True)
        for weights, bias in layers:
            x = np.maximum(x @ weights + bias, 0)
        return x

    @cached_property
    def references(self) -> dict[str, Vectors]:
        """The features of the training and of the held-out images."""
        return {"train": self.of(self.images.whole()), "test": self.of(self.images.held_out)}

    def distance(self, samples: ArrayLike) -> dict[str, float]:
        """Fréchet distance of these images' features to those of the training and the held-out images."""
        features = self.of(samples)
        return {name: frechet(features, reference) for name, reference in self.references.items()}
