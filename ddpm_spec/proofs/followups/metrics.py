"""Scores as estimates: what N samples add to FID, and that KID's mean is right."""

import sympy as sp

from ddpm_spec.followups import metrics
from ddpm_spec.ops import exp, sqrt
from ddpm_spec.ops.typeset import Level, Term, letter, named
from ddpm_spec.proofs.calculus import AtLeast, AtMost, Calculus, compared, density, integral, limit
from ddpm_spec.proofs.engine import Derivation, Expectation, Line, Moments, Value
from ddpm_spec.proofs.letters import ONE, ZERO, Z, positive

__all__ = [
    "BIAS",
    "CUBIC",
    "DERIVATIONS",
    "FIRST",
    "LEAST",
    "LIMIT",
    "MEAN",
    "MOST",
    "NEXT",
    "OF_THE_MEAN",
    "WITH_DIAGONAL",
]

_n = sp.Symbol("n", positive=True)
COUNT, FREE = letter("N", _n + 1), letter("N-1", _n, level=Level.SUM)
INFINITY = Term(r"\infty", sp.oo)
S = positive("s")


def gamma(x: Term) -> Term:
    """Euler's function Γ(x)."""
    return Term(rf"\Gamma\left({x.tex}\right)", sp.gamma(x.value))


def power(x: Term, exponent: Term) -> Term:
    """x to a power that is no number."""
    return Term(f"{x.tex}^{{{exponent.tex}}}", x.value**exponent.value)


def _by_gamma(count: Term, free: Term) -> Term:
    """c_4 of `count` draws, of which `free` is one less."""
    root: Term = sqrt(2 / free)
    return root * (gamma(count / 2) / gamma(free / 2))


C_4 = _by_gamma(COUNT, FREE)


def _of_the_mean() -> Derivation:
    mean = named("m", Z / sqrt(COUNT))
    return Derivation(
        title="What the mean of the draws adds",
        nodes=("beyond-fid-bias",),
        lines=(
            Line(
                Expectation(COUNT * metrics.frechet(mean, S, ZERO, ONE), Z),
                r"$N$ draws of $\mathcal{N}(0, 1)$ have a mean $m$ and, independent of it, a deviation $s$.",
                where=(("m", Z / sqrt(COUNT)),),
            ),
            Line(
                Value(1 + COUNT * (S - 1) ** 2),
                r"$\mathbb{E}[z] = 0$ and $\mathbb{E}[z^2] = 1$.",
                Moments(),
            ),
        ),
        end=Value(1 + COUNT * metrics.frechet(ZERO, S, ZERO, ONE)),
        end_tex=r"\mathbb{E}_z[N\,\mathrm{FID}_N]",
        formulas=(metrics.frechet,),
    )


def _bias() -> Derivation:
    two_less = letter("N-2", _n - 1, level=Level.SUM)
    weight = power(S, two_less) * exp(-(FREE * S**2 / 2))
    c_4 = named("c_4", C_4)
    return Derivation(
        title="What their deviation adds",
        nodes=("beyond-fid-bias",),
        lines=(
            Line(
                Value(
                    1
                    + integral(COUNT * (S - 1) ** 2 * weight, S, ZERO, INFINITY)
                    / integral(weight, S, ZERO, INFINITY)
                ),
                r"$(N-1)s^2$ is $\chi^2$ with $N-1$ degrees of freedom, so $s$ has a density in the ratio of "
                r"$s^{N-2}e^{-(N-1)s^2/2}$.",
            ),
            Line(
                Value(1 + 2 * COUNT * (1 - C_4)),
                r"Integrate: $\mathbb{E}[s^2] = 1$, and $\mathbb{E}[s] = c_4$.",
                Calculus(),
                where=(("c_4", C_4),),
            ),
        ),
        end=Value(metrics.scaled_bias(c_4, COUNT)),
        end_tex=r"N\,\mathbb{E}[\mathrm{FID}_N]",
        formulas=(metrics.scaled_bias,),
        assumptions=(
            r"One feature, normal, of variance 1; $N$ independent draws against the exact law.",
            r"Of normal draws, mean and deviation are independent and $(N-1)s^2$ is $\chi^2$ (textbook).",
        ),
    )


def _next() -> Derivation:
    more = _by_gamma(letter("N+1", _n + 2, level=Level.SUM), COUNT)
    c_4 = named("c_4", C_4)
    return Derivation(
        title=r"From $c_4(N)$ to $c_4(N+1)$",
        nodes=("beyond-fid-bias",),
        lines=(
            Line(Value(more), r"The same with one draw more.", where=(("c_4", C_4),)),
            Line(
                Value(sqrt(FREE / COUNT) / c_4),
                r"$\Gamma(\tfrac{N+1}{2}) = \tfrac{N-1}{2}\,\Gamma(\tfrac{N-1}{2})$.",
                Calculus(),
                where=(("c_4", C_4),),
            ),
        ),
        end=Value(metrics.next_deviation_mean(c_4, COUNT)),
        end_tex="c_4(N+1)",
        formulas=(metrics.next_deviation_mean,),
    )


def _first() -> Derivation:
    z = letter("z")
    return Derivation(
        title="$c_4(2)$",
        nodes=("beyond-fid-bias",),
        lines=(
            Line(
                Value(2 * integral(z * density(z, ZERO, ONE), z, ZERO, INFINITY)),
                r"Of two draws $s = |z|$ for the standard normal $z = (x_1 - x_2)/\sqrt2$.",
            ),
            Line(Value(2 / sqrt(letter(r"2\pi", 2 * sp.pi))), "Integrate.", Calculus()),
        ),
        end=Value(metrics.deviation_mean(2, ONE)),
        end_tex="c_4(2)",
        formulas=(metrics.deviation_mean,),
    )


U = positive("u")
ROOT = U / (1 + U)
"""((N−1)/N)^¼ between 0 and 1; it goes to 1 as u grows."""


def _least() -> Derivation:
    g, count, short = named("g", ROOT), named("N", 1 / (1 - ROOT**4)), positive(r"\delta")
    where = (("N", 1 / (1 - named("g", ROOT) ** 4)), ("g", ROOT))
    return Derivation(
        title="At least",
        nodes=("beyond-fid-bias",),
        lines=(
            Line(
                Value(metrics.scaled_bias(g - short, count)),
                r"$c_4(N)^2 \le c_4(N)\,c_4(N+1) = \sqrt{(N-1)/N} = g^2$, so that $c_4 = g - \delta$ with "
                r"$\delta \ge 0$.",
                where=where,
            ),
            compared(
                Value(1 + 2 * count * (1 - g)),
                r"Leave $\delta$ out.",
                AtLeast(2 * count * short),
                where=where,
            ),
            Line(Value(1 + 2 / ((1 + g) * (1 + g**2))), r"$N = 1/(1-g^4)$.", where=where),
        ),
        end=Value(metrics.scaled_bias(g, count)),
        formulas=(metrics.scaled_bias,),
        assumptions=("$c_4(N)$ rises with $N$, which is tested.",),
    )


def _most() -> Derivation:
    h, more = named("h", ROOT), positive(r"\delta")
    count = named("N", 1 + 1 / (1 - ROOT**4))
    where = (("N", 1 + 1 / (1 - named("h", ROOT) ** 4)), ("h", ROOT))
    return Derivation(
        title="At most",
        nodes=("beyond-fid-bias",),
        lines=(
            Line(
                Value(metrics.scaled_bias(h + more, count)),
                r"$c_4(N)^2 \ge c_4(N-1)\,c_4(N) = \sqrt{(N-2)/(N-1)} = h^2$, so that $c_4 = h + \delta$ "
                r"with $\delta \ge 0$.",
                where=where,
            ),
            compared(
                Value(1 + 2 * count * (1 - h)),
                r"Leave $\delta$ out.",
                AtMost(2 * count * more),
                where=where,
            ),
            Line(
                Value(1 + 2 * (1 - h) + 2 / ((1 + h) * (1 + h**2))),
                r"$N = 1 + 1/(1-h^4)$.",
                where=where,
            ),
        ),
        end=Value(metrics.scaled_bias(h, count)),
        formulas=(metrics.scaled_bias,),
        assumptions=("$c_4(N)$ rises with $N$, which is tested.",),
    )


def _limit() -> Derivation:
    g, three_halves = ROOT, letter("3", ZERO.value + 3) / 2
    least = 1 + 2 / ((1 + g) * (1 + g**2))
    return Derivation(
        title="Both bounds tend to 3/2",
        nodes=("beyond-fid-bias",),
        lines=(
            Line(
                Value(limit(2 * (1 - g) + least, U)),
                r"$N$ grows with $u$, and $g = h = u/(1+u)$ tends to 1. The upper bound.",
            ),
            Line(Value(limit(least, U)), r"The lower bound: $2(1-h)$ vanishes.", Calculus()),
            Line(Value(three_halves), r"$1 + 2/(2 \cdot 2)$.", Calculus()),
        ),
        end=Value(three_halves),
        end_tex=r"\lim_{N\to\infty} N\,\mathbb{E}[\mathrm{FID}_N]",
    )


M, K = positive("m"), positive("k")
PAIR, SELF = letter(r"\kappa"), letter("c")


def _mean() -> Derivation:
    within, within_p = (metrics.off_diagonal_mean(n * (n - 1) * PAIR + n * SELF, n * SELF, n) for n in (M, K))
    return Derivation(
        title="The mean under equal laws",
        nodes=("beyond-kid",),
        lines=(
            Line(Value(ZERO), "The true distance of a law to itself."),
            Line(
                Value(PAIR + PAIR - 2 * PAIR),
                r"Any two different draws are independent, within a set or between sets: $k$ has the mean "
                r"$\kappa$ on all of them.",
            ),
        ),
        end=Value(metrics.kernel_distance(within, within_p, PAIR)),
        end_tex=r"\mathbb{E}[\mathrm{KID}]",
        formulas=(metrics.kernel_distance, metrics.off_diagonal_mean),
        assumptions=(
            r"Two sets of $m$ and $k$ independent draws of one law; $\kappa = \mathbb{E}\,k(x, x')$ for two "
            r"draws and $c = \mathbb{E}\,k(x, x)$ for one with itself.",
        ),
    )


def _with_diagonal() -> Derivation:
    within, within_p = ((n * (n - 1) * PAIR + n * SELF) / n**2 for n in (M, K))
    return Derivation(
        title="With the diagonal it is biased",
        nodes=("beyond-kid",),
        lines=(
            Line(
                Value(within + within_p - 2 * PAIR),
                "The mean over all entries: $m$ of the $m^2$ are a draw with itself.",
            ),
            Line(
                Value((1 / M + 1 / K) * (SELF - PAIR)),
                r"$c > \kappa$ for the cubic kernel, unless all draws are the same; more draws make it less.",
            ),
        ),
        end=Value(metrics.kernel_distance(within, within_p, PAIR)),
        formulas=(metrics.kernel_distance,),
    )


def _cubic() -> Derivation:
    x, d = letter("x"), positive("D")
    product = named("p", d * x**2)
    return Derivation(
        title="The kernel counts features up to the third power",
        nodes=("beyond-kid",),
        lines=(
            Line(
                Value(1 + 3 * x**2 + 3 * x**4 + x**6),
                r"For two images with all $D$ features equal to $x$, so that $p = x^\top x = Dx^2$ and the "
                "kernel does not grow with $D$. Its powers compare three moments of the two laws.",
                where=(("p", d * x**2),),
            ),
        ),
        end=Value(metrics.cubic_kernel(product, d)),
        formulas=(metrics.cubic_kernel,),
    )


OF_THE_MEAN = _of_the_mean()
BIAS = _bias()
NEXT = _next()
FIRST = _first()
LEAST = _least()
MOST = _most()
LIMIT = _limit()
MEAN = _mean()
WITH_DIAGONAL = _with_diagonal()
CUBIC = _cubic()

DERIVATIONS = (OF_THE_MEAN, BIAS, NEXT, FIRST, LEAST, MOST, LIMIT, MEAN, WITH_DIAGONAL, CUBIC)
