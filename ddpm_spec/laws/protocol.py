"""What the laws ask of an implementation."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol

import numpy as np

__all__ = ["PARTS", "Array", "Implementation", "Network", "Precision", "Prediction", "Sampler", "Stated"]

Array = np.ndarray[Any, np.dtype[Any]]

Network = Callable[[Any, Any], Any]
"""ε_θ(x_t, t): x_t of shape (B, D) and integer t of shape (B,); the result has the shape of x_t."""

Precision = Literal["float64", "float32", "float16", "bfloat16"]
Prediction = Literal["eps", "v", "x_0"]


class Stated:
    """What an adapter says about itself, with what is taken where it says nothing. The report repeats it.

    An adapter may inherit from this, or just have the attributes that differ.
    """

    precision: Precision = "float64"
    """What its arithmetic rounds to; what it is given is rounded to this."""
    tables: Precision | None = None
    """What its tables, and all that depends on t alone, are rounded to.

    It is `precision` unless that is a half precision, and float32 then. An `add_noise` that casts ᾱ_t to the
    dtype of the images, as diffusers has it, has tables of that precision.
    """
    first_time: int = 1
    """The time of its first step, 0 or 1. The adapter's methods and the network are given its own times."""
    prediction: Prediction = "eps"
    """What its network predicts."""
    clips: bool = False
    """Whether x̂_0 is meant to be clipped to [−1, 1] in the sampler. Data within the range are used then."""
    schedule: Literal["paper", "cosine"] | None = None
    """What its β_t are meant to be: the paper's, the cosine schedule, or its own."""
    arrays: Literal["numpy", "torch"] = "numpy"
    """What its arrays are."""
    shape: tuple[int, ...] = (3,)
    """The shape of one example: a row of three numbers, or (1, 8, 8) for images."""
    levels: int = 256
    """Grey levels of the discrete decoder, equally spaced from −1 to 1."""
    T: int | None = None
    """The number of steps, for an adapter without tables. If it states T or `schedule`, it is judged by that
    schedule, which is the paper's unless it says otherwise, in T steps, 1000 unless it says otherwise."""
    draws: tuple[str, ...] = ()
    """Those of q_sample, p_sample, loss and a sampler's step ("sampler") that draw their own noise.

    They are called without it and must draw it from the global generator of PyTorch or NumPy, in one array of
    the shape of x_t. The generator is seeded, and the noise is recovered by drawing it once more.
    """
    parameters: int | None = None
    """How many numbers its network is to learn, such as 35,746,307 for the paper's on CIFAR10."""


class Sampler(Protocol):
    """A sampler for a number of steps. One is made for each chain, and its steps are taken in order.

    So it may remember what it did before, as multistep methods do. If it draws its own noise, each step is
    taken several times, on copies of it (`copy.deepcopy`).
    """

    times: Sequence[int]
    """The times at which the network is asked, the first one first."""

    def step(self, network: Network, x_t: Any, k: int, z: Any) -> Any:
        """From x at times[k] to x at times[k + 1], or to the image from the last; z is fresh noise."""


class Implementation(Protocol):
    """What an adapter may have. Every part is optional: each law says what it needs.

    Where a part is missing, or None, the law is not judged. The laws of state need fresh adapters, so an
    adapter is copied (`copy.deepcopy`) before it is used. If it cannot be copied, or keeps something outside
    of itself, check a function without arguments, or a class, that makes a new one.

    Examples have the shape that the adapter states, x of shape (B, …). Terms of the bound are nats per
    example, summed over its coordinates. Times are counted as the adapter states: from 1 here.
    """

    betas: Array
    """β_1..β_T, shape (T,)."""
    alpha_bars: Array
    """ᾱ_1..ᾱ_T as the implementation tabulates them, shape (T,)."""

    def q_sample(self, x_0: Any, t: Any, eps: Any) -> Any:
        """x_t of Eq. 4 for noise ε; t of shape (B,)."""

    def posterior(self, x_0: Any, x_t: Any, t: int) -> tuple[Any, Any]:
        """Mean (B, …) and variance of q(x_{t−1} | x_t, x_0), Eqs. 6 and 7."""

    def predict_x_0(self, x_t: Any, t: int, eps: Any) -> Any:
        """x̂_0 of Eq. 15 from what a network predicted."""

    def variance(self, t: int) -> Any:
        """σ_t² of the reverse process; at t = 1 that of the decoder, Eq. 13."""

    def p_sample(self, network: Network, x_t: Any, t: int, z: Any) -> Any:
        """x_{t−1}, one step of Algorithm 2 with noise z."""

    def loss(self, network: Network, x_0: Any, t: Any, eps: Any) -> Any:
        """Eq. 14 divided by D, averaged over the batch; t of shape (B,)."""

    def prior_term(self, x_0: Any) -> Any:
        """L_T of Eq. 5, shape (B,)."""

    def bound_term(self, network: Network, x_0: Any, t: int, eps: Any) -> Any:
        """L_{t−1} of Eq. 5 at the x_t of x_0 and ε, shape (B,); L_0 by the discrete decoder at t = 1."""

    def sample(self, network: Network, count: int) -> Any:
        """Algorithm 2 as a whole: `count` images from its own x_T, with its own noise, in [−1, 1]."""

    def sampler(self, steps: int) -> Sampler:
        """Its sampler for this many steps."""

    def draw_times(self, count: int) -> Any:
        """The times of `count` training examples, as Algorithm 1 draws them."""

    # ------------------------------------------------------- what came after the paper, and what is around it

    def ddim_step(self, network: Network, x_t: Any, t: int, s: int, z: Any, eta: float) -> Any:
        """x_s for an earlier time s by (12) of DDIM, with noise z and the σ of (16); η in [0, 1].

        For the image s is one less than the first time: −1 if times count from 0. Each step has the length of
        the steps of some sampler: t − s = T // n for a number of steps n.
        """

    def learned_variance(self, answer: Any, t: int) -> Any:
        """σ_t² of Improved DDPM for a network that answers −1 for β̃_t and 1 for β_t; both of shape (B, …)."""

    def velocity(self, x_0: Any, eps: Any, t: Any) -> Any:
        """What a network that predicts v is trained to predict; t of shape (B,)."""

    def x_0_from_velocity(self, x_t: Any, v: Any, t: Any) -> Any:
        """x̂_0 from x_t and v; t of shape (B,)."""

    def eps_from_velocity(self, x_t: Any, v: Any, t: Any) -> Any:
        """The noise from x_t and v; t of shape (B,)."""

    def average(self, decay: float, values: Sequence[float]) -> Sequence[float]:
        """The moving average of one weight that takes these values, after each of them.

        It is made when the weight has the first value, and updated for each later one.
        """

    def time_embedding(self, t: Any, dim: int) -> Any:
        """The sines and cosines of t that the network is given, in any order, (B, dim); t of shape (B,)."""

    def make_network(self) -> Any:
        """A new, untrained torch module. It is called with x of shape (B, …) and integer t of shape (B,)."""

    def to_model(self, pixels: Any) -> Any:
        """Grey levels 0..levels − 1 as the network sees them, (B, …); they come as uint8 up to 256 levels."""

    def to_pixels(self, x: Any) -> Any:
        """The grey levels of a sample, as they are saved, in the shape of x."""


PARTS = tuple(name for name in (*Implementation.__annotations__, *vars(Implementation)) if name[0] != "_")
"""The names of all parts."""
