"""No law fails on an implementation that is right: three written independently, in three precisions."""

import numpy as np
import pytest
import torch
from laws.ours import Ours
from laws.right import Buffers
from torch.nn import functional as F

from ddpm_spec.diffusion import Diffusion
from ddpm_spec.laws import LAWS, check
from ddpm_spec.laws.half import InHalf
from ddpm_spec.laws.plain import Plain
from ddpm_spec.laws.reference import Reference
from ddpm_spec.laws.subject import Subject
from ddpm_spec.schedule import Schedule

PRECISIONS = ("float64", "float32", "bfloat16")
SOME_TIMES = [1, 2, 10, 300, 1000]


def linear(T: int) -> np.ndarray:
    """The paper's; in few steps one that ends in as much noise."""
    return np.linspace(1e-4, 0.02, 1000) if T == 1000 else np.minimum(np.linspace(0.02, 8 / T, T), 0.999)


def cosine(T: int) -> np.ndarray:
    """With its cap. In float32 the last 1 − β_t has lost four of its seven digits."""
    bars = np.cos((np.arange(T + 1) / T + 0.008) / 1.008 * np.pi / 2) ** 2
    return np.minimum(1 - bars[1:] / bars[:-1], 0.999)


class Small(Plain):
    """σ_t² = β̃_t, with β̃_2 in the place of β̃_1."""

    def variance(self, t: int) -> float:
        return float(self.beta_tilde(max(t, 2)))


def plain(betas: np.ndarray, precision: str, levels: int, kind=Plain):
    if precision == "float64":
        return kind(betas, levels)
    single = kind(betas.astype(np.float32), levels)
    return single if precision == "float32" else InHalf(single, precision)


def ours(betas: np.ndarray, precision: str, levels: int, variance: str = "beta") -> Ours:
    return Ours(Diffusion(Schedule.from_betas(betas.tolist()), variance), levels, precision)


def buffers(betas: np.ndarray, precision: str, levels: int, **options: bool) -> Buffers:
    return Buffers(torch.tensor(betas), precision, levels=levels, **options)


MADE = {
    "ours": ours,
    "ours, β̃": lambda *args: ours(*args, variance="beta_tilde"),
    "plain": plain,
    "plain, β̃": lambda *args: plain(*args, kind=Small),
    "buffers": buffers,
    "buffers, β̃": lambda *args: buffers(*args, small=True),
    "buffers, tables made in float64": lambda *args: buffers(*args, double=True),
    "buffers, ᾱ by logarithms": lambda *args: buffers(*args, logs=True),
    # As diffusers' add_noise has it.
    "buffers, ᾱ cast to the images' precision": lambda *args: buffers(*args, cast=True),
}


def fails(adapter: object, times=()) -> list[object]:
    return [one for one in check(adapter, times=times) if one.outcome in ("failed", "error")]


CASES = [
    (name, schedule, precision)
    for name in MADE
    for schedule in (linear, cosine)
    for precision in PRECISIONS
    if ("cast" not in name or precision == "bfloat16")
    and ("β̃" not in name or schedule is cosine)
    and (not any(word in name for word in ("float64", "logarithms")) or precision == "float32")
]


@pytest.mark.parametrize(("name", "schedule", "precision"), CASES)
def test_no_law_fails_on_what_is_right(name, schedule, precision) -> None:
    for T in (4, 10):
        assert not fails(MADE[name](schedule(T), precision, 9))
    assert not fails(MADE[name](schedule(1000), precision, 256), SOME_TIMES)


class Clips(Buffers):
    clips = True

    def mean(self, net, x_t, k):
        x_0 = self.predict_x_0(x_t, k, net(x_t, torch.full((len(x_t),), k))).clamp(-1, 1)
        return self.posterior(x_0, x_t, k)[0]


class Velocity(Buffers):
    prediction = "v"

    def predict_x_0(self, x_t, k, v):
        return self.take(self.root, k, x_t) * x_t - self.take(self.noise, k, x_t) * v

    def loss(self, net, x_0, k, eps):
        v = self.take(self.root, k, x_0) * eps - self.take(self.noise, k, x_0) * x_0
        return F.mse_loss(net(self.q_sample(x_0, k, eps), k), v)


class Image(Velocity):
    prediction = "x_0"

    def predict_x_0(self, x_t, k, x_0):
        return x_0

    def loss(self, net, x_0, k, eps):
        return F.mse_loss(net(self.q_sample(x_0, k, eps), k), x_0)


class ByRatios(Buffers):
    """A table of ᾱ_t and none of β_t; coloured images."""

    shape = (3, 4, 4)

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.betas = None


@pytest.mark.parametrize("kind", [Clips, Velocity, Image, ByRatios])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_what_is_stated_is_taken_into_account(kind, precision) -> None:
    for schedule, T, times in ((linear, 10, ()), (cosine, 1000, [1, 2, 1000])):
        assert not fails(kind(torch.tensor(schedule(T)), precision, levels=9), times)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "schedule", "precision"),
    [
        ("plain, β̃", cosine, "float32"),
        ("plain", linear, "bfloat16"),
        ("buffers", linear, "float32"),
    ],
)
def test_no_law_fails_at_any_time(name, schedule, precision) -> None:
    assert not fails(MADE[name](schedule(1000), precision, 17))


@pytest.mark.parametrize(
    ("prediction", "weight"), [("v", lambda bar: bar), ("x_0", lambda bar: bar / (1 - bar))]
)
def test_a_loss_of_the_error_in_the_noise_is_right_whatever_is_predicted(prediction, weight) -> None:
    """(1 − ᾱ) SNR and SNR make Eq. 14 of an error in v and in x_0; twice that is wrong."""

    class Weighted(Plain):
        factor = 1.0

        def loss(self, network, x_0, t, eps):
            bar, x_t = self.alpha_bar(t)[:, None], self.noised(x_0, t, eps)
            target = np.sqrt(bar) * eps - np.sqrt(1 - bar) * x_0 if prediction == "v" else x_0
            squares = weight(bar) * (target - network(x_t, t)) ** 2
            return float(self.factor * np.mean(squares))

    law = [LAWS["objective/squared-error"]]
    model = Weighted(linear(10))
    model.prediction = prediction
    (right,) = check(model, law)
    model.factor = 2.0
    (wrong,) = check(model, law)
    assert (right.outcome, wrong.outcome) == ("passed", "failed")


@pytest.mark.parametrize("t", [1, 10, 100, 1000])
def test_rounding_of_the_noise_level_is_that_of_its_own_step(t: int) -> None:
    """What a rounding of ᾱ_t in float32 makes of 1 − ᾱ_t, and not what it makes of 1 − ᾱ_1."""
    model = Plain(linear(1000).astype("float32"))
    model.precision = "float32"
    reference = Reference(Subject(model))
    moved = reference.signal[t] * (t + 2) * 2.0**-24 / reference.noise[t]
    assert moved <= reference.noise_rounding(t) <= 1.1 * moved + 4 * 2.0**-24
