"""Lemmas on the normal law: the sum of two, and the divergence between two."""

from ddpm_spec.formulas import gaussian
from ddpm_spec.ops import log, sqrt, two_pi
from ddpm_spec.ops.typeset import Term, letter, named, rows
from ddpm_spec.proofs.engine import (
    Derivation,
    Expectation,
    Integral,
    IntegrateOut,
    Line,
    Moments,
    Normal,
    Value,
)
from ddpm_spec.proofs.letters import Z, positive
from ddpm_spec.proofs.zero import UnitInterval

__all__ = ["KL", "SUM", "gaussian_kl", "gaussian_sum", "kl_at"]

_OF_KL = letter("m"), positive("v"), letter("m_p"), positive("v_p")


def gaussian_sum(
    x: Term, y: Term, mean: Term, variance: Term, scale_squared: Term, noise_variance: Term
) -> Derivation:
    """The law of x = √a·y + noise for y ~ N(m, r) and noise ~ N(0, s): N(√a·m, a·r + s)."""
    scale = sqrt(scale_squared)
    v = scale_squared * variance + noise_variance
    v_name = named("v", v)
    r_star = named("r_*", variance * noise_variance / v)
    m_star = named("m_*", (noise_variance * mean + scale * variance * x) / v)
    given_y, prior = Normal(x, scale * y, noise_variance), Normal(y, mean, variance)
    density = Normal(y, m_star, r_star)
    return Derivation(
        title="Sum of independent normals",
        nodes=("lemma-gaussian-sum",),
        lines=(
            Line(
                Integral(rows(given_y.name, prior.name), y),
                f"Total probability: average the law of ${x.tex}$ given ${y.tex}$ over ${y.tex}$.",
            ),
            Line(
                Integral(rows(given_y.term, prior.term), y),
                "Write both densities out.",
            ),
            Line(
                Integral(
                    rows(
                        -((y - m_star) ** 2) / (2 * r_star) - log(two_pi(y) * r_star) / 2,
                        -((x - scale * mean) ** 2) / (2 * v_name) - log(two_pi(y) * v_name) / 2,
                    ),
                    y,
                ),
                f"Complete the square in ${y.tex}$. The logarithms agree, since $r_*v$ is the product of the "
                "two variances.",
                where=(
                    ("v", v),
                    ("r_*", variance * noise_variance / v_name),
                    ("m_*", (noise_variance * mean + scale * variance * x) / v_name),
                ),
            ),
            Line(
                Integral(rows(density.name, Normal(x, scale * mean, v_name).name), y),
                "Read off two normal densities.",
            ),
            Line(
                Normal(x, scale * mean, v),
                f"The first integrates to one over ${y.tex}$, and the second does not depend on it.",
                IntegrateOut(density),
            ),
        ),
        end=Normal(
            x,
            gaussian.linear_mean(mean, scale),
            gaussian.linear_variance(variance, scale_squared, noise_variance),
        ),
        formulas=(gaussian.linear_mean, gaussian.linear_variance, gaussian.log_density),
    )


def gaussian_kl(m: Term, v: Term, m_p: Term, v_p: Term) -> Derivation:
    """The divergence D_KL(N(m, v) ‖ N(m_p, v_p))."""
    x = m + sqrt(v) * Z
    x_name = named("x", x)
    return Derivation(
        title="Divergence of two normals",
        nodes=("lemma-gaussian-kl",),
        lines=(
            Line(
                Expectation(Normal(x_name, m, v).name - Normal(x_name, m_p, v_p).name, Z),
                "The definition, with a draw from the first law written by a standard normal $z$.",
                where=(("x", x),),
            ),
            Line(
                Expectation(
                    rows(
                        -(Z**2) / 2,
                        (m - m_p + sqrt(v) * Z) ** 2 / (2 * v_p),
                        -log(v / v_p) / 2,
                    ),
                    Z,
                ),
                r"Write both log-densities out; $2\pi$ cancels.",
            ),
            Line(
                Value((v / v_p + (m - m_p) ** 2 / v_p - 1 - log(v / v_p)) / 2),
                r"$\mathbb{E}[z] = 0$ and $\mathbb{E}[z^2] = 1$.",
                Moments(),
            ),
        ),
        end=Value(gaussian.kl(m, v, m_p, v_p)),
        formulas=(gaussian.kl, gaussian.log_density),
    )


def _kl() -> Derivation:
    return gaussian_kl(*_OF_KL)


def kl_at(*terms: Term) -> tuple[tuple[Term, Term], ...]:
    """The letters of the lemma `KL`, and what stands for them: a mean and a variance of either law."""
    return tuple(zip(_OF_KL, terms, strict=True))


SUM = gaussian_sum(
    letter("x"),
    letter("y"),
    letter("m"),
    positive("r"),
    letter("a", UnitInterval("a")),
    positive("s"),
)
KL = _kl()
