"""The variational bound in its three forms and its terms (§2, §3.2, §4.3 and App. A), in nats.

Log-densities, divergences and terms add over coordinates, so each formula holds for one coordinate as
well as for a whole example.
"""

from ddpm_spec.formulas.decoder import log_bin_probability
from ddpm_spec.formulas.forward import q_mean, q_variance
from ddpm_spec.formulas.gaussian import kl
from ddpm_spec.formulas.posterior import posterior_mean, posterior_variance
from ddpm_spec.formulas.step import Step
from ddpm_spec.ops import Number, log, one, total

__all__ = [
    "bits_per_dim",
    "decoder_term",
    "divergence_bound",
    "marginal_bound",
    "mean_distance",
    "path_bound",
    "prior_term",
    "step_term",
    "variance_mismatch",
]


def path_bound(log_prior: Number, log_p: Number, log_q: Number) -> Number:
    """The bound on one path x_0..x_T, Eq. 3: −log p(x_T) − Σ_{t≥1} log p_θ(x_{t−1} | x_t) / q(x_t | x_{t−1}).

    `log_prior`: log p(x_T), shape (…); `log_p`, `log_q`: the logarithms of the two densities for t = 1..T,
    shape (…, T). Averaged over q it bounds −log p_θ(x_0) from above.
    """
    return -log_prior - total(log_p - log_q)


def divergence_bound(prior: Number, steps: Number, decoder: Number) -> Number:
    """The bound as a sum of divergences, Eq. 5: L_T + Σ_{t>1} L_{t−1} + L_0.

    `prior`, `decoder`: L_T and L_0, shape (…); `steps`: L_{t−1} for t = 2..T, shape (…, T − 1).
    """
    return prior + total(steps) + decoder


def marginal_bound(prior: Number, steps: Number, entropy: Number) -> Number:
    """The bound by marginal laws, Eq. 16: D_KL(q(x_T) ‖ p(x_T)) + Σ_{t≥1} L'_{t−1} + H(x_0).

    `prior`: the divergence of q(x_T), shape (…); `steps`: D_KL(q(x_{t−1} | x_t) ‖ p_θ(x_{t−1} | x_t)) for
    t = 1..T, shape (…, T); `entropy`: H(x_0). It needs the law of the data, so it can be computed only
    where that is known.
    """
    return prior + total(steps) + entropy


def prior_term(x_0: Number, at: Step) -> Number:
    """L_T of Eq. 5: D_KL(q(x_T | x_0) ‖ N(0, I)); `at` is the schedule at t = T. Shape of x_0."""
    return kl(q_mean(x_0, at), q_variance(at), 0, 1)


def step_term(x_0: Number, x_t: Number, mean: Number, variance: Number, at: Step) -> Number:
    """L_{t−1} of Eq. 5 for t in 2..T: D_KL(q(x_{t−1} | x_t, x_0) ‖ N(mean, variance)).

    `mean`, `variance`: μ_θ(x_t, t) and σ_t². Shape of x_0. At t = 1 the posterior is a point and the
    divergence infinite: that term of the bound is `decoder_term`.
    """
    return kl(posterior_mean(x_0, x_t, at), posterior_variance(at), mean, variance)


def mean_distance(target: Number, mean: Number, variance: Number) -> Number:
    """What Eq. 8 leaves of L_{t−1} for Σ_θ = σ_t² I: (target − mean)² / 2σ_t², a coordinate.

    `target`: μ̃_t(x_t, x_0); `mean`, `variance`: μ_θ(x_t, t) and σ_t². Shapes broadcast. Rounding: 2(1+κ)u.
    """
    return (target - mean) ** 2 / (2 * variance)


def variance_mismatch(posterior_variance: Number, variance: Number) -> Number:
    """C of Eq. 8, a coordinate: ½ (β̃_t/σ_t² − 1 − log β̃_t/σ_t²), which does not depend on θ.

    0 for σ_t² = β̃_t and positive otherwise.
    """
    ratio = posterior_variance / variance
    return (ratio - 1 - log(ratio)) / 2


def decoder_term(x_0: Number, mean: Number, variance: Number, levels: Number) -> Number:
    """L_0 of Eq. 5: −log p_θ(x_0 | x_1) by the discrete decoder, Eq. 13. Shape of x_0."""
    return -log_bin_probability(x_0, mean, variance, levels)


def bits_per_dim(nats: Number, dims: int) -> Number:
    """A codelength of one example in nats, as bits per coordinate: nats / (D ln 2), the unit of Table 1."""
    return nats / (dims * log(2 * one(nats)))
