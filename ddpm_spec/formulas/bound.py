"""The terms of the variational bound (§2 and App. A, Eq. 5), in nats per coordinate."""

from ddpm_spec.formulas.decoder import log_bin_probability
from ddpm_spec.formulas.forward import q_mean, q_variance
from ddpm_spec.formulas.gaussian import kl
from ddpm_spec.formulas.posterior import posterior_mean, posterior_variance
from ddpm_spec.formulas.step import Step
from ddpm_spec.ops import Number, log, one

__all__ = ["bits_per_dim", "decoder_term", "prior_term", "step_term"]


def prior_term(x_0: Number, at: Step) -> Number:
    """L_T of Eq. 5: D_KL(q(x_T | x_0) ‖ N(0, I)); `at` is the schedule at t = T. Shape of x_0."""
    return kl(q_mean(x_0, at), q_variance(at), 0, 1)


def step_term(x_0: Number, x_t: Number, mean: Number, variance: Number, at: Step) -> Number:
    """L_{t−1} of Eq. 5 for t in 2..T: D_KL(q(x_{t−1} | x_t, x_0) ‖ N(mean, variance)).

    mean, variance: μ_θ(x_t, t) and σ_t². Shape of x_0. At t = 1 the posterior is a point and the
    divergence infinite: that term of the bound is `decoder_term`.
    """
    return kl(posterior_mean(x_0, x_t, at), posterior_variance(at), mean, variance)


def decoder_term(x_0: Number, mean: Number, variance: Number, levels: int) -> Number:
    """L_0 of Eq. 5: −log p_θ(x_0 | x_1) by the discrete decoder, Eq. 13. Shape of x_0."""
    return -log_bin_probability(x_0, mean, variance, levels)


def bits_per_dim(nats: Number, dims: int) -> Number:
    """A codelength of one example in nats, as bits per coordinate: nats / (D ln 2)."""
    return nats / (dims * log(2 * one(nats)))
