"""One table of weights: what each later loss puts on ‖ε − ε_θ‖², and how to read it on x_0 or v.

Weights are those of a step t and multiply the squared error of a coordinate.
"""

from ddpm_spec.followups.snr import snr
from ddpm_spec.formulas.step import Step
from ddpm_spec.ops import Number, cos, exp, log, one, sin, two_pi, where

__all__ = [
    "cosine_log_snr",
    "cosine_weight",
    "min_snr_weight",
    "on_v",
    "on_x_0",
    "p2_weight",
    "v_weight",
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
