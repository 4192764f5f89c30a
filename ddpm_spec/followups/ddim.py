"""Sampling in fewer steps from the same network (DDIM; Song, Meng and Ermon 2021).

The training objective sees the marginals q(x_t | x_0) only. DDIM gives a family of processes with these
marginals, one for each variance σ², and a step of it may lead from any t to any earlier s.
"""

from ddpm_spec.followups.snr import log_snr, log_snr_prev
from ddpm_spec.formulas.forward import q_mean
from ddpm_spec.formulas.posterior import posterior_variance
from ddpm_spec.formulas.step import Step
from ddpm_spec.ops import Number, exp, sqrt

__all__ = ["ddim_mean", "ddim_variance", "implied_noise", "skip", "solver_step"]


def skip(at: Step, earlier: Step) -> Step:
    """The step from t back to any earlier s as one step: ᾱ_s in the place of ᾱ_{t−1}.

    `at`, `earlier`: the schedule at t and at s < t. Every formula of one step then holds for the long one.
    β is (1−ᾱ_t − (1−ᾱ_s))/ᾱ_s, which cancels only as far as t and s are near.
    """
    return Step(
        beta=(at.one_minus_alpha_bar - earlier.one_minus_alpha_bar) / earlier.alpha_bar,
        alpha=at.alpha_bar / earlier.alpha_bar,
        alpha_bar=at.alpha_bar,
        alpha_bar_prev=earlier.alpha_bar,
        one_minus_alpha_bar=at.one_minus_alpha_bar,
        one_minus_alpha_bar_prev=earlier.one_minus_alpha_bar,
    )


def implied_noise(x_0: Number, x_t: Number, at: Step) -> Number:
    """The ε that leads from x_0 to x_t: Eq. 4 of DDPM solved for the noise. Any shape. Rounding: 2(1+κ)u."""
    return (x_t - q_mean(x_0, at)) / sqrt(at.one_minus_alpha_bar)


def ddim_variance(eta: Number, at: Step) -> Number:
    """σ² = η² β̃_t, equation (16) of DDIM: 0 is deterministic, 1 is DDPM with its smaller variance.

    Rounding: 3(1+κ)u.
    """
    return eta**2 * posterior_variance(at)


def ddim_mean(x_0: Number, x_t: Number, variance: Number, at: Step) -> Number:
    """The mean of q_σ(x_s | x_t, x_0); with x̂_0 of DDPM's Eq. 15 it is (12) of DDIM, the sampler.

    `x_0`, `x_t`: any shape; `variance`: σ² in [0, 1−ᾱ_s], where s is the step before in `at`. A larger one,
    DDPM's σ² = β_t at t = 2 among them, has no member of the family: the root is of a negative number.
    """
    noise = sqrt(at.one_minus_alpha_bar_prev - variance)
    return sqrt(at.alpha_bar_prev) * x_0 + noise * implied_noise(x_0, x_t, at)


def solver_step(x_t: Number, eps: Number, at: Step) -> Number:
    """DPM-Solver of order one (Lu et al. 2022): √(ᾱ_s/ᾱ_t) x_t − √(1−ᾱ_s) (eʰ − 1) ε.

    h = (λ_s − λ_t)/2 is half the gain in log-SNR. Any shape. The same step as DDIM's without noise.
    """
    h = (log_snr_prev(at) - log_snr(at)) / 2
    return (
        sqrt(at.alpha_bar_prev / at.alpha_bar) * x_t - sqrt(at.one_minus_alpha_bar_prev) * (exp(h) - 1) * eps
    )
