"""The bound by signal-to-noise ratios (VDM; Kingma et al. 2021), for σ_t² = β̃_t and t in 2..T."""

from ddpm_spec.formulas.step import Step
from ddpm_spec.ops import Number, log

__all__ = ["eps_snr_weight", "log_snr", "log_snr_prev", "snr", "snr_bound", "snr_prev", "x_0_snr_weight"]


def snr(at: Step) -> Number:
    """SNR(t) = ᾱ_t / (1−ᾱ_t). Rounding: 2(1+κ)u."""
    return at.alpha_bar / at.one_minus_alpha_bar


def snr_prev(at: Step) -> Number:
    """SNR(t−1) = ᾱ_{t−1} / (1−ᾱ_{t−1}), infinite at t = 1. Rounding: 2(1+κ)u."""
    return at.alpha_bar_prev / at.one_minus_alpha_bar_prev


def log_snr(at: Step) -> Number:
    """λ_t = log SNR(t), in nats."""
    return log(snr(at))


def log_snr_prev(at: Step) -> Number:
    """λ_{t−1} = log SNR(t−1), in nats."""
    return log(snr_prev(at))


def x_0_snr_weight(at: Step) -> Number:
    """½ (SNR(t−1) − SNR(t)), the weight of ‖x_0 − x̂_0‖² in L_{t−1}, in nats (VDM's L_T).

    The difference of two nearly equal ratios where β_t is small: formed in float64.
    """
    return (snr_prev(at) - snr(at)) / 2


def eps_snr_weight(at: Step) -> Number:
    """½ (SNR(t−1)/SNR(t) − 1), the weight of ‖ε − ε_θ‖² in L_{t−1}, in nats.

    It is Eq. 12's at σ_t² = β̃_t. Formed in float64, as `x_0_snr_weight`.
    """
    return (snr_prev(at) / snr(at) - 1) / 2


def snr_bound(data_variance: Number, snr_max: Number, snr_min: Number) -> Number:
    """½ log((1 + v SNR_max)/(1 + v SNR_min)), VDM's L_∞ of normal data under the exact denoiser.

    In nats a coordinate, for data of variance v: the sum of L_{t−1} as steps become many. Of the schedule
    only the two ends enter.
    """
    return log((1 + data_variance * snr_max) / (1 + data_variance * snr_min)) / 2
