"""The variance of the reverse process for data of known variance (§3.2, claims C2 and C3; App. C, C10).

With data of mean 0 and variance v in each coordinate, x_t has variance V_t = ᾱ_t v + 1 − ᾱ_t, and for
normal data the best σ_t² is β_t V_{t−1} / V_t. The paper names its values at v = 0 and v = 1.
"""

from ddpm_spec.formulas.gaussian import linear_variance
from ddpm_spec.formulas.posterior import posterior_variance
from ddpm_spec.formulas.step import Step
from ddpm_spec.ops import Number, log, sqrt

__all__ = [
    "best_step_term",
    "explained_variance",
    "linear_residual",
    "marginal_variance",
    "optimal_variance",
    "unscaled_variance",
]


def marginal_variance(data_variance: Number, at: Step) -> Number:
    """V_t = ᾱ_t v + 1 − ᾱ_t, the variance of x_t (Eq. 4) for data of this variance, of any law.

    Any shape; the fields of `at` broadcast against it. Rounding: 2(1+κ)u.
    """
    return linear_variance(data_variance, at.alpha_bar, at.one_minus_alpha_bar)


def unscaled_variance(variance_prev: Number, at: Step) -> Number:
    """The variance after one step that adds noise and does not scale by √(1−β_t), as in NCSN (App. C).

    `variance_prev`: the variance before the step. Rounding: 2(1+κ)u.
    """
    return linear_variance(variance_prev, 1, at.beta)


def optimal_variance(data_variance: Number, at: Step) -> Number:
    """β_t V_{t−1} / V_t, the variance of q(x_{t−1} | x_t) for x_0 ~ N(m, v): the best σ_t² (§3.2).

    For any other law of variance v it is an upper bound of the best σ_t². β̃_t at v = 0, β_t at
    v = 1, β_t/α_t as v → ∞. Any shape, t in 1..T. Rounding: 2(1+κ)u.
    """
    before = at._replace(alpha_bar=at.alpha_bar_prev, one_minus_alpha_bar=at.one_minus_alpha_bar_prev)
    return at.beta * marginal_variance(data_variance, before) / marginal_variance(data_variance, at)


def explained_variance(residual: Number, at: Step) -> Number:
    """The best σ_t² of any law from r = E tr Cov(x_0 | x_t) / D: β̃_t of Eq. 7 plus what x_0 leaves open.

    `residual`: the mean variance of x_0 given x_t, a coordinate. Holds for the exact mean
    E[x_{t−1} | x_t]. Rounding: 2(1+κ)u.
    """
    slope = sqrt(at.alpha_bar_prev) * at.beta / at.one_minus_alpha_bar
    return posterior_variance(at) + slope**2 * residual


def linear_residual(data_variance: Number, at: Step) -> Number:
    """v (1−ᾱ_t) / V_t, the error of the best affine x̂_0: Var(x_0 | x_t) for normal data (§3.2).

    No other guess is worse than the conditional mean is good, so for every law of variance v this is an
    upper bound of E Var(x_0 | x_t). Rounding: 2(1+κ)u.
    """
    return data_variance * at.one_minus_alpha_bar / marginal_variance(data_variance, at)


def best_step_term(optimal: Number, at: Step) -> Number:
    """½ log(σ*²/β̃_t), the least E L_{t−1} of Eq. 5 for t in 2..T, in nats per coordinate.

    `optimal`: σ*² = E tr Cov(x_{t−1} | x_t) / D. It is reached by the exact mean with σ_t² = σ*².
    """
    return log(optimal / posterior_variance(at)) / 2
