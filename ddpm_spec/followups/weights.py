"""One table of weights: what each later loss puts on ‖ε − ε_θ‖², how to read it on x_0 or v, and its bound.

Weights are those of a step t and multiply the squared error of a coordinate. Where nothing else is said they
are numbers without unit, in any shape and dtype that the fields of `at` have.
"""

from ddpm_spec.followups.snr import log_snr, log_snr_prev, snr
from ddpm_spec.formulas.step import Step
from ddpm_spec.ops import Number, cos, exp, log, one, sin, total, two_pi, where

__all__ = [
    "cosine_log_snr",
    "cosine_weight",
    "log_snr_weight",
    "min_snr_weight",
    "mixture_of_bounds",
    "on_v",
    "on_x_0",
    "p2_weight",
    "v_weight",
    "weighted_bound",
]


def on_x_0(weight: Number, at: Step) -> Number:
    """The weight on ‖x_0 − x̂_0‖² that is `weight` on ‖ε − ε_θ‖²: times SNR(t). Rounding: 3(1+κ)u."""
    return weight * snr(at)


def on_v(weight: Number, at: Step) -> Number:
    """The weight on ‖v − v̂‖² that is `weight` on ‖ε − ε_θ‖²: times ᾱ_t."""
    return weight * at.alpha_bar


def v_weight(at: Step) -> Number:
    """1/ᾱ_t, what an unweighted loss on v puts on ‖ε − ε_θ‖² (Salimans and Ho 2022). On x_0 it is 1 + SNR."""
    return 1 / at.alpha_bar


def min_snr_weight(gamma: Number, at: Step) -> Number:
    """min(1, γ/SNR(t)) (Min-SNR-γ; Hang et al. 2023; γ = 5 there). On x_0 it is min(SNR, γ)."""
    return where(snr(at) < gamma, one(at.alpha_bar), gamma / snr(at))


def p2_weight(k: Number, gamma: Number, at: Step) -> Number:
    """(k + SNR(t))^{−γ} (P2; Choi et al. 2022), formed as exp(−γ log(k + SNR)). k, γ > 0."""
    return exp(-gamma * log(k + snr(at)))


def cosine_log_snr(time: Number) -> Number:
    """λ = 2 log cot(πt/2), the log-SNR of the cosine schedule with s = 0 at time t in (0, 1)."""
    angle = two_pi(time) / 4 * time
    return 2 * log(cos(angle) / sin(angle))


def cosine_weight(log_snr: Number) -> Number:
    """sech(λ/2)/(2π), the w(λ) that L_simple stands for under the cosine schedule with s = 0.

    Kingma and Gao (2023) weigh ½ w(λ) dλ on ‖ε − ε_θ‖²; L_simple is w(λ) = p(λ). Not monotone.
    """
    return 2 / (two_pi(log_snr) * (exp(log_snr / 2) + exp(-log_snr / 2)))


def log_snr_weight(weight: Number, at: Step) -> Number:
    """½ w(λ) (λ_{t−1} − λ_t), the weight of ‖ε − ε_θ‖² for a short step of L_w (Kingma and Gao 2023).

    `weight`: w at the step's log-SNR λ; w = 1 is the bound in continuous time. The difference of two nearly
    equal logarithms where β_t is small: formed in float64.
    """
    return weight * (log_snr_prev(at) - log_snr(at)) / 2


def weighted_bound(prior: Number, steps: Number, weights: Number, last: Number) -> Number:
    """ω_T L_T + Σ_t ω_t L_{t−1}, the bound of Eq. 5 with a weight for each step: Kingma and Gao's w(λ_t).

    `prior`: L_T, shape (…); `steps`: L_{t−1} for t = 1..T, shape (…, T); `weights`: ω_t, shape (T,);
    `last`: ω_T.
    """
    return last * prior + total(weights * steps)


def mixture_of_bounds(
    whole: Number, later: Number, first: Number, weights: Number, weights_prev: Number
) -> Number:
    """ω_1 K_0 + Σ_{t>1} (ω_t − ω_{t−1}) K_{t−1}, the same by the bounds K_t = L_T + Σ_{s>t} L_{s−1} of x_t.

    Where ω_t does not fall with t no share is negative: it is a bound on noised data (Kingma and Gao 2023).
    `whole`: K_0, shape (…); `later`: K_{t−1} for t = 2..T, shape (…, T − 1); `first`: ω_1; `weights`,
    `weights_prev`: ω_t and ω_{t−1} for t = 2..T, shape (T − 1,).
    """
    return first * whole + total((weights - weights_prev) * later)
