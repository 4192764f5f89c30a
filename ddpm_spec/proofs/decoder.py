"""Eq. 13: each bin is its integral, together they are one; and what a density in its place costs (C6)."""

import sympy as sp

from ddpm_spec.formulas import decoder, forward, gaussian, objective, posterior, reverse
from ddpm_spec.ops import exp, infinity, log, sqrt, two_pi
from ddpm_spec.ops.typeset import Level, Term, letter, named, rows
from ddpm_spec.paper import Formula
from ddpm_spec.proofs.calculus import (
    AtMost,
    Backwards,
    BySeries,
    Calculus,
    ChangeOfVariable,
    Jensen,
    Pointwise,
    cdf,
    compared,
    density,
    factorial,
    integral,
    sinh,
)
from ddpm_spec.proofs.engine import Derivation, Line, Normal, Value, Within
from ddpm_spec.proofs.letters import AT, AT_1, EPS, EPS_HAT, ONE, X_0, ZERO, Z, positive

__all__ = [
    "AS_NOISE",
    "BINS",
    "COEFFICIENTS",
    "DENSITY",
    "FIRST_BIN",
    "LAST_BIN",
    "LOWER",
    "NEXT_BIN",
    "UPPER",
    "WEIGHT_BETA",
    "WEIGHT_BETA_TILDE",
]

# The level k of L levels, x_0 = 2k/(L−1) − 1. For the interior levels k and L − 1 − k are ½ and something
# positive: that covers k = 1..L − 2, and the formula's case can be told from it.
_HALF = sp.Rational(1, 2)
_k = _HALF + sp.Symbol("levels below", positive=True)
K = letter("k", _k)
LEVELS = letter("L", _k + _HALF + sp.Symbol("levels above", positive=True) + 1)
X_K = 2 * K / (LEVELS - 1) - 1
EDGE_LEVELS = letter("L", _HALF + sp.Symbol("levels", positive=True) + 1)
"""At the edges any L > 3/2."""

MU, SIGMA_1_SQUARED = letter(r"\mu"), positive(r"\sigma_1^2")
X = letter("x")
MINUS_ONE, INFINITY = letter("-1", sp.Integer(-1), level=Level.SUM), infinity(X)


def _bin(
    where: str, x_0: Term, levels: Term, edges: tuple[Term, Term], mu: Term, variance: Term
) -> Derivation:
    """The bin between two edges, at the level x_0 of so many levels."""
    sigma = sqrt(variance)
    ends = [edge if edge.value.is_infinite else (edge - mu) / sigma for edge in edges]
    names = (("x_0", X_K),) if x_0.tex == "x_0" else ()
    return Derivation(
        title=f"A bin of the decoder, {where}",
        nodes=("eq-13",),
        lines=(
            Line(
                Value(log(integral(density(X, mu, variance), X, *edges))),
                f"Eq. 13 with the edges of the paper, $\\delta = 1/(L-1)$, {where}.",
                where=names,
            ),
            Line(
                Value(log(integral(density(Z, ZERO, ONE), Z, *ends))),
                r"Put in $x = \mu + \sigma_1 z$.",
                ChangeOfVariable(mu + sigma * Z, Z),
            ),
            Line(
                Value(log(cdf(ends[1]) - cdf(ends[0]))),
                r"$\Phi$ is the integral of the standard normal density.",
                Calculus(),
            ),
        ),
        end=Value(decoder.log_bin_probability(x_0, mu, variance, levels)),
        end_tex=r"\log p_\theta(x_0 \mid x_1)",
        formulas=(decoder.log_bin_probability,),
        assumptions=(r"$\sigma_1^2 > 0$; one coordinate, the product over them is a sum of logarithms.",),
    )


def _bins() -> tuple[Derivation, ...]:
    x_0, delta = named("x_0", X_K), 1 / (LEVELS - 1)
    edge = 1 / (EDGE_LEVELS - 1)
    law = MU, SIGMA_1_SQUARED
    return (
        _bin("inside", x_0, LEVELS, (x_0 - delta, x_0 + delta), *law),
        _bin("at $x_0 = -1$", MINUS_ONE, EDGE_LEVELS, (-INFINITY, MINUS_ONE + edge), *law),
        _bin("at $x_0 = 1$", ONE, EDGE_LEVELS, (ONE - edge, INFINITY), *law),
    )


def _upper_edge(x_0: Term, levels: Term) -> Term:
    return (x_0 + 1 / (levels - 1) - MU) / sqrt(SIGMA_1_SQUARED)


def _first_bin() -> Derivation:
    probability = exp(decoder.log_bin_probability(MINUS_ONE, MU, SIGMA_1_SQUARED, EDGE_LEVELS))
    return Derivation(
        title="The bins sum to one: the first",
        nodes=("eq-13", "c-5"),
        lines=(
            Line(
                Value(cdf(_upper_edge(MINUS_ONE, EDGE_LEVELS))),
                "The claim for $k = 0$: the bins $0..k$ hold what lies below the upper edge of the last of "
                "them.",
            ),
        ),
        end=Value(probability),
        end_tex="p_0",
        formulas=(decoder.log_bin_probability,),
    )


def _next_bin() -> Derivation:
    x_k = named("x_k", X_K)
    x_prev = named("x_{k-1}", 2 * (K - 1) / (LEVELS - 1) - 1)
    probability = exp(decoder.log_bin_probability(x_k, MU, SIGMA_1_SQUARED, LEVELS))
    below, above = cdf(_upper_edge(x_prev, LEVELS)), cdf(_upper_edge(x_k, LEVELS))
    lower_edge = (x_k - 1 / (LEVELS - 1) - MU) / sqrt(SIGMA_1_SQUARED)
    names = (("x_k", X_K), ("x_{k-1}", 2 * (K - 1) / (LEVELS - 1) - 1))
    return Derivation(
        title="The bins sum to one: from $k-1$ to $k$",
        nodes=("eq-13", "c-5"),
        lines=(
            Line(
                Value(below + named("p_k", probability)),
                "Add the next bin to what the claim gives for $k - 1$.",
                where=(*names, ("p_k", probability)),
            ),
            Line(Value(below + (above - cdf(lower_edge))), "Eq. 13 for a level inside."),
            Line(Value(above), r"The bins touch: $x_k - \delta = x_{k-1} + \delta$."),
        ),
        end=Value(cdf(_upper_edge(x_k, LEVELS))),
        end_tex=r"p_0 + \dots + p_k",
        formulas=(decoder.log_bin_probability,),
    )


def _last_bin() -> Derivation:
    x_prev = named("x_{L-2}", ONE - 2 / (EDGE_LEVELS - 1))
    probability = exp(decoder.log_bin_probability(ONE, MU, SIGMA_1_SQUARED, EDGE_LEVELS))
    below = cdf(_upper_edge(x_prev, EDGE_LEVELS))
    lower_edge = (ONE - 1 / (EDGE_LEVELS - 1) - MU) / sqrt(SIGMA_1_SQUARED)
    return Derivation(
        title="The bins sum to one: the last",
        nodes=("eq-13", "c-5"),
        lines=(
            Line(
                Value(below + named("p_{L-1}", probability)),
                "Add the last bin to all others.",
                where=(("x_{L-2}", ONE - 2 / (EDGE_LEVELS - 1)), ("p_{L-1}", probability)),
            ),
            Line(Value(below + (1 - cdf(lower_edge))), "Eq. 13 at $x_0 = 1$."),
            Line(Value(ONE), "The bins touch."),
        ),
        end=Value(ONE),
        end_tex=r"p_0 + \dots + p_{L-1}",
        formulas=(decoder.log_bin_probability,),
    )


# ------------------------------------------------------------------- Eq. 13 to Eq. 14 at t = 1, claim C6

R, ZETA, S = positive("r"), positive(r"\zeta"), letter("s")
DELTA = 1 / (LEVELS - 1)
X_0_K = named("x_0", X_K)
SIGMA = named(r"\sigma_1", DELTA / R)
MEAN = named(r"\mu", X_0_K - SIGMA * ZETA)
EXPONENT = -(R * ZETA * S) - R**2 * S**2 / 2
"""With x = x_0 + δs the exponent of the density, less its value at x_0."""


def _average(f: Term) -> Term:
    """The mean of f over s uniform on [−1, 1]."""
    return integral(f, S, MINUS_ONE, ONE) / 2


def _density() -> Derivation:
    at_x_0 = Normal(X_0_K, MEAN, SIGMA**2).name
    names = ((r"\sigma_1", DELTA / R), (r"\mu", X_0_K - SIGMA * ZETA), ("x_0", X_K))
    edges = X_0_K - DELTA, X_0_K + DELTA
    bin_mass = log(integral(density(X, MEAN, SIGMA**2), X, *edges))
    rest = log(_average(exp(EXPONENT)))
    return Derivation(
        title="A bin as density times width",
        nodes=("c-6",),
        lines=(
            Line(
                Value(decoder.log_bin_probability(X_0_K, MEAN, SIGMA**2, LEVELS)),
                r"Eq. 13 inside the range, in $r = \delta/\sigma_1$ and $\zeta = (x_0 - \mu)/\sigma_1$.",
                where=names,
            ),
            Line(
                Value(bin_mass),
                "As an integral.",
                Backwards(_bin("inside", X_0_K, LEVELS, edges, MEAN, SIGMA**2)),
            ),
            Line(
                Value(rows(log(2 * DELTA) + at_x_0, rest)),
                r"Put in $x = x_0 + \delta s$: density times bin width, and what that leaves out.",
                ChangeOfVariable(X_0_K + DELTA * S, S),
            ),
        ),
        end=Value(rows(log(2 * DELTA) + gaussian.log_density(X_0_K, MEAN, SIGMA**2), rest)),
        end_tex=r"\log p_\theta(x_0 \mid x_1)",
        formulas=(decoder.log_bin_probability, gaussian.log_density),
        assumptions=(
            r"$\zeta > 0$; the bin is symmetric, so $\zeta < 0$ gives the same and $\zeta = 0$ the limit.",
            "A level inside the range: the two edge bins are larger than density times width.",
        ),
    )


def _error_start() -> Line:
    approximate = log(2 * DELTA) + gaussian.log_density(X_0_K, MEAN, SIGMA**2)
    return Line(
        Value(decoder.log_bin_probability(X_0_K, MEAN, SIGMA**2, LEVELS) - named(r"\ell", approximate)),
        r"The error of $\ell$, the logarithm of density times width.",
        where=(
            (r"\ell", approximate),
            (r"\sigma_1", DELTA / R),
            (r"\mu", X_0_K - SIGMA * ZETA),
            ("x_0", X_K),
        ),
    )


def _lower() -> Derivation:
    return Derivation(
        title="Density times width: the error from below",
        nodes=("c-6",),
        lines=(
            _error_start(),
            Line(Value(log(_average(exp(EXPONENT)))), "“A bin as density times width”.", Within(DENSITY)),
            compared(
                Value(_average(EXPONENT)),
                "Jensen's inequality, for $s$ uniform on $[-1, 1]$.",
                Jensen(),
            ),
            Line(
                Value(-(R**2) / 6),
                r"$\mathbb{E}[s] = 0$ and $\mathbb{E}[s^2] = 1/3$.",
                Calculus(),
            ),
        ),
        end=Value(-(R**2) / 6),
        formulas=(decoder.log_bin_probability, gaussian.log_density),
    )


def _coefficients() -> Derivation:
    k = letter("k", sp.Symbol("k", positive=True, integer=True))
    ours, above = factorial(2 * k + 1), letter("6^{k}", 6**k.value) * factorial(k)
    ours_next = factorial(2 * k + 3)
    above_next = letter("6^{k+1}", 6 ** (k.value + 1)) * factorial(k + 1)
    return Derivation(
        title=r"The series of $\sinh(x)/x$ lies below that of $e^{x^2/6}$",
        nodes=(),
        lines=(
            Line(
                Value(above_next / ours_next / (above / ours)),
                r"The coefficients of $x^{2k}$ are $1/(2k+1)!$ and $1/(6^k k!)$. Their quotient is 1 for $k "
                r"= 0$; "
                r"this is by what it changes from $k$ to $k+1$.",
            ),
            Line(
                Value(6 * (k + 1) / ((2 * k + 2) * (2 * k + 3))),
                "Cancel the factorials.",
                Calculus(),
            ),
            Line(Value(3 / (2 * k + 3)), r"$6(k+1) = 3(2k+2)$."),
            compared(Value(ONE), "So it falls.", AtMost(2 * k / (2 * k + 3))),
        ),
        end=Value(ONE),
    )


def _upper() -> Derivation:
    return Derivation(
        title="Density times width: the error from above",
        nodes=("c-6",),
        lines=(
            _error_start(),
            Line(Value(log(_average(exp(EXPONENT)))), "“A bin as density times width”.", Within(DENSITY)),
            compared(
                Value(log(_average(exp(-(R * ZETA * S))))),
                "Drop the negative term of the exponent.",
                Pointwise(R**2 * S**2 / 2),
            ),
            Line(Value(log(sinh(R * ZETA) / (R * ZETA))), "Integrate.", Calculus()),
            compared(
                Value((R * ZETA) ** 2 / 6),
                r"$\sinh(x)/x \le e^{x^2/6}$, by comparing the series term by term.",
                BySeries(COEFFICIENTS),
            ),
        ),
        end=Value((R * ZETA) ** 2 / 6),
        formulas=(decoder.log_bin_probability, gaussian.log_density),
    )


def _as_noise() -> Derivation:
    x_1 = forward.q_sample(X_0, EPS, AT_1)
    x_1_name = named("x_1", x_1)
    mean = reverse.mean_from_eps(x_1_name, EPS_HAT, AT_1)
    mu, delta = named(r"\mu_\theta", mean), positive(r"\delta")
    variance = SIGMA_1_SQUARED
    log_density = gaussian.log_density(X_0, mu, variance)
    constant = log(two_pi(X) * variance) / 2 - log(2 * delta)
    shift = sqrt(AT_1.one_minus_alpha_bar) / sqrt(AT_1.alpha)
    return Derivation(
        title="The term of $t = 1$ as an error in the noise",
        nodes=("c-6",),
        lines=(
            Line(
                Value(-(log(2 * delta) + named(r"\ell", log_density))),
                r"$L_0$ with density times bin width for the integral; $\ell$ is the log-density.",
                where=((r"\ell", log_density), (r"\mu_\theta", mean), ("x_1", x_1)),
            ),
            Line(Value((X_0 - mu) ** 2 / (2 * variance) + constant), "Write the density out."),
            Line(
                Value((shift * (EPS_HAT - EPS)) ** 2 / (2 * variance) + constant),
                r"At $t = 1$ both are $(x_1 - \sqrt{1-\bar\alpha_1}\,\epsilon)/\sqrt{\alpha_1}$, the one "
                r"with the "
                "true noise, the other with the predicted one.",
            ),
        ),
        end=Value(objective.eps_weight(variance, AT_1) * objective.simple_loss(EPS, EPS_HAT) + constant),
        formulas=(
            objective.eps_weight,
            objective.simple_loss,
            reverse.mean_from_eps,
            gaussian.log_density,
        ),
    )


def _weight(
    title: str, variance: Term, reason: str, weight: Term, how: str, *formulas: Formula
) -> Derivation:
    return Derivation(
        title=title,
        nodes=("c-6",),
        lines=(
            Line(Value(AT.beta**2 / (2 * variance * AT.alpha * AT.one_minus_alpha_bar)), reason),
            Line(Value(weight), how),
        ),
        end=Value(objective.eps_weight(variance, AT)),
        end_tex="w_t",
        formulas=(objective.eps_weight, *formulas),
    )


BINS = _bins()
FIRST_BIN, NEXT_BIN, LAST_BIN = _first_bin(), _next_bin(), _last_bin()
DENSITY = _density()
COEFFICIENTS = _coefficients()
LOWER = _lower()
UPPER = _upper()
AS_NOISE = _as_noise()
WEIGHT_BETA = _weight(
    r"The weight that Eq. 14 drops, $\sigma_t^2 = \beta_t$",
    AT.beta,
    r"Eq. 12 for $\sigma_t^2 = \beta_t$.",
    AT.beta / (2 * AT.alpha * AT.one_minus_alpha_bar),
    r"$\beta_t$ cancels once.",
)
WEIGHT_BETA_TILDE = _weight(
    r"The weight that Eq. 14 drops, $\sigma_t^2 = \tilde\beta_t$",
    posterior.posterior_variance(AT),
    r"Eq. 12 for $\sigma_t^2 = \tilde\beta_t$, which is written out.",
    AT.beta / (2 * AT.alpha * AT.one_minus_alpha_bar_prev),
    r"$\beta_t$ cancels once, and $1-\bar\alpha_t$.",
    posterior.posterior_variance,
)
