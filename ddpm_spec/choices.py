"""What may be chosen of a process, by name.

It stands apart from the model so that options can be read, and refused, before torch is imported.
"""

from typing import Literal

__all__ = ["LEARNED", "Convention", "Prediction", "Variance"]

Prediction = Literal["eps", "x_0", "mu", "v"]
"""What the network predicts (§3.2, Table 2): the noise, the image, or the posterior mean μ̃_t.

v is later than the paper: the velocity of Salimans and Ho 2022.
"""

Variance = Literal["beta", "beta_tilde", "learned", "learned_range"]
"""σ_t² = β_t or σ_t² = β̃_t, the two choices of §3.2, or the learned diagonal of Table 2: log σ_t² itself.

learned_range is later than the paper: a place between the two on a log scale (Nichol and Dhariwal 2021),
−1 for β̃_t and 1 for β_t.
"""

LEARNED: tuple[Variance, ...] = ("learned", "learned_range")
"""Those that the network decides, in as many more channels."""

Convention = Literal["paper", "official"]
"""The paper as printed, or what the code that made its tables does differently.

The official code clips the x̂_0 that a prediction implies to [−1, 1], in sampling and in the bound; takes
β̃_2 for σ_1² also where σ_t² = β_t; and forms Eq. 13 with a tanh in the place of the normal cdf, no
probability below 1e-12, so that its number is not strictly a bound.
"""
