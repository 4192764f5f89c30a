"""The score ∇ log q: Vincent's denoising identity, and claim C4 in the form in which it is exact."""

import sympy as sp

from ddpm_spec.formulas import forward, gaussian, objective, reverse
from ddpm_spec.ops import sqrt
from ddpm_spec.ops.typeset import Level, Term, letter, named
from ddpm_spec.proofs.engine import Derivation, Line, Value
from ddpm_spec.proofs.letters import AT, EPS, EPS_HAT, SIGMA_SQUARED, X_0, X_T, positive
from ddpm_spec.proofs.zero import UnitInterval

__all__ = ["LANGEVIN", "SCORE_MATCHING", "TWEEDIE", "VINCENT"]


def _log_q(x_0: Term) -> sp.Expr:
    """The logarithm of q(x_t | x_0), Eq. 4, as a function of x_t."""
    density: Term = gaussian.log_density(X_T, forward.q_mean(x_0, AT), forward.q_variance(AT))
    return density.value


def _mixture(points: list[Term], weights: list[Term]) -> tuple[list[sp.Expr], sp.Expr]:
    """The densities q(x_t | x⁽ⁱ⁾) and the gradient of log Σᵢ wᵢ q(x_t | x⁽ⁱ⁾).

    The gradient is sympy's, of the densities written out. Afterwards each exponential becomes one
    positive symbol, so that the zero test sees rational functions.
    """
    densities = [sp.exp(_log_q(point)) for point in points]
    mixture = sp.Add(*(w.value * q for w, q in zip(weights, densities, strict=True)))
    gradient = sp.diff(mixture, X_T.value) / mixture
    exponentials = [exponential for q in densities for exponential in q.atoms(sp.exp)]
    symbols = {e: sp.Symbol(f"e_{i}", positive=True) for i, e in enumerate(exponentials, start=1)}
    return [q.xreplace(symbols) for q in densities], gradient.xreplace(symbols)


def _sum(terms: list[Term]) -> Term:
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


def _tweedie(count: int = 2) -> Derivation:
    numbers = range(1, count + 1)
    points = [letter(f"x^{{({i})}}") for i in numbers]
    weights = [positive(f"w_{i}") for i in numbers]
    values, gradient = _mixture(points, weights)
    densities = [
        Term(rf"e^{{\log q(x_t \mid {point.tex})}}", q, Level.FUNCTION)
        for point, q in zip(points, values, strict=True)
    ]
    weighted = [w * named(f"q_{i}", q) for i, w, q in zip(numbers, weights, densities, strict=True)]
    shares = [wq / _sum(weighted) for wq in weighted]
    r = [named(f"r_{i}", share) for i, share in zip(numbers, shares, strict=True)]
    score = Term(r"\nabla_{x_t}\log q(x_t)", gradient, Level.FUNCTION)
    s = named("s", score)
    v, scale = AT.one_minus_alpha_bar, sqrt(AT.alpha_bar)
    slopes = [(scale * x - X_T) / v for x in points]
    g = [named(f"g_{i}", slope) for i, slope in zip(numbers, slopes, strict=True)]
    return Derivation(
        title="The score is the best denoiser",
        nodes=("lemma-vincent",),
        lines=(
            Line(
                Value(_sum([share * x for share, x in zip(r, points, strict=True)])),
                f"The mean of $x_0$ given $x_t$, for data that take {count} values $x^{{(i)}}$ with "
                "probability $w_i$, by Bayes' rule. More values add more terms of the same form.",
                where=tuple((f"q_{i}", q) for i, q in zip(numbers, densities, strict=True))
                + tuple((f"r_{i}", share) for i, share in zip(numbers, shares, strict=True)),
            ),
            Line(
                Value((X_T + v * _sum([a * b for a, b in zip(r, g, strict=True)])) / scale),
                "Add and take away $x_t$; the $r_i$ sum to one.",
                where=tuple((f"g_{i}", slope) for i, slope in zip(numbers, slopes, strict=True)),
            ),
            Line(
                Value((X_T + v * s) / scale),
                r"$g_i$ is $\nabla_{x_t}\log q_i$ of Eq. 4, so the sum is the gradient of "
                r"$\log q(x_t) = \log \sum_i w_i\, q_i$.",
                where=(("s", score),),
            ),
        ),
        end=Value(reverse.predict_x_0(X_T, -(sqrt(v) * s), AT)),
        end_tex=r"\mathbb{E}[x_0 \mid x_t]",
        formulas=(reverse.predict_x_0, gaussian.log_density, forward.q_mean, forward.q_variance),
        assumptions=(
            "The data take finitely many values. For any other law the gradient of $q(x_t)$ is taken under "
            "the integral over $x_0$.",
        ),
    )


def _vincent() -> Derivation:
    r = letter("r", UnitInterval("r"))
    first, second = letter(r"\epsilon_1"), letter(r"\epsilon_2")
    best = r * first + (1 - r) * second
    eps = named(r"\epsilon^*", best)
    spread = r * (1 - r)
    return Derivation(
        title="Matching the noise is matching its mean",
        nodes=("lemma-vincent",),
        lines=(
            Line(
                Value(r * (first - EPS_HAT) ** 2 + (1 - r) * (second - EPS_HAT) ** 2),
                "The expected error of a prediction that sees $x_t$ only, where two noises could have led "
                "there, the first with probability $r$.",
            ),
            Line(
                Value(EPS_HAT**2 - 2 * (eps * EPS_HAT) + (r * first**2 + (1 - r) * second**2)),
                r"Multiply out; $\epsilon^*$ is the mean noise given $x_t$.",
                where=((r"\epsilon^*", best),),
            ),
            Line(
                Value((eps - EPS_HAT) ** 2 + spread * (first - second) ** 2),
                "Complete the square. What remains is the variance of the noise given $x_t$ and has no "
                r"$\epsilon_\theta$ in it.",
            ),
        ),
        end=Value(objective.simple_loss(eps, EPS_HAT) + spread * objective.simple_loss(first, second)),
        end_tex=r"\mathbb{E}\left[(\epsilon - \epsilon_\theta)^2 \mid x_t\right]",
        formulas=(objective.simple_loss,),
        assumptions=(
            r"Two noises could have led to $x_t$, the first with probability $r$. More of them follow one "
            r"after the other, with $\epsilon_1$ a mean itself.",
        ),
    )


def _langevin() -> Derivation:
    s, v = letter("s"), AT.one_minus_alpha_bar
    eta = 2 * AT.beta / sqrt(AT.alpha)
    eps = -(sqrt(v) * s)
    return Derivation(
        title="Algorithm 2 as a Langevin-like step",
        nodes=("c-4",),
        lines=(
            Line(
                Value(1 / sqrt(AT.alpha) * X_T + named(r"\eta", eta) / 2 * s),
                r"The drift of a Langevin step of size $\eta$ with $s = \nabla_{x_t}\log q(x_t)$, taken from "
                r"$x_t/\sqrt{\alpha_t}$. A Langevin step would add noise of variance $\eta$, "
                r"Algorithm 2 adds $\sigma_t^2$, about half of it.",
                where=((r"\eta", eta),),
            ),
            Line(Value((X_T + AT.beta * s) / sqrt(AT.alpha)), r"Put in $\eta$."),
            Line(
                Value(1 / sqrt(AT.alpha) * (X_T - AT.beta / sqrt(v) * named(r"\epsilon^*", eps))),
                r"Write the score as the best prediction of the noise.",
                where=((r"\epsilon^*", eps),),
            ),
        ),
        end=Value(reverse.mean_from_eps(X_T, named(r"\epsilon^*", eps), AT)),
        end_tex=r"\mu_\theta(x_t, t)",
        formulas=(reverse.mean_from_eps,),
        assumptions=(
            r"$\epsilon_\theta$ is the best prediction, $-\sqrt{1-\bar\alpha_t}\,\nabla_{x_t}\log q(x_t)$.",
        ),
    )


def _score_matching() -> Derivation:
    x_t: Term = forward.q_sample(X_0, EPS, AT)
    # Differentiated at a free x_t, then taken at the x_t of Eq. 4.
    gradient = sp.diff(_log_q(X_0), X_T.value).subs(X_T.value, x_t.value)
    target = Term(r"\nabla_{x_t}\log q(x_t \mid x_0)", gradient, Level.FUNCTION)
    s, v = letter(r"s_\theta"), AT.one_minus_alpha_bar
    weight = AT.beta**2 / (2 * SIGMA_SQUARED * AT.alpha)
    w = named(r"\lambda_t", weight)
    eps_hat = -(sqrt(v) * s)
    return Derivation(
        title="Eq. 12 as denoising score matching",
        nodes=("c-4",),
        lines=(
            Line(
                Value(w * (s - named("g", target)) ** 2),
                r"Denoising score matching with weight $\lambda_t$: $s_\theta(x_t, t)$ is fitted to the "
                "score of the noise that was added.",
                where=((r"\lambda_t", weight), ("g", target)),
            ),
            Line(
                Value(w * (s + EPS / sqrt(v)) ** 2),
                r"Differentiate Eq. 4: $g = -(x_t - \sqrt{\bar\alpha_t}\,x_0)/(1-\bar\alpha_t)$, which is "
                r"$-\epsilon/\sqrt{1-\bar\alpha_t}$ at the $x_t$ of $x_0$ and $\epsilon$.",
            ),
            Line(
                Value(w / v * (EPS - named(r"\epsilon_\theta", eps_hat)) ** 2),
                r"Take out $1-\bar\alpha_t$ and call $-\sqrt{1-\bar\alpha_t}\,s_\theta$ the predicted noise.",
                where=((r"\epsilon_\theta", eps_hat),),
            ),
        ),
        end=Value(
            objective.eps_weight(SIGMA_SQUARED, AT)
            * objective.simple_loss(EPS, named(r"\epsilon_\theta", eps_hat))
        ),
        end_tex=r"L_{t-1} - C",
        formulas=(
            objective.eps_weight,
            objective.simple_loss,
            gaussian.log_density,
            forward.q_mean,
            forward.q_variance,
            forward.q_sample,
        ),
        assumptions=(r"$2 \le t \le T$ and $\Sigma_\theta = \sigma_t^2 I$, as for Eq. 12.",),
    )


TWEEDIE = _tweedie()
VINCENT = _vincent()
LANGEVIN = _langevin()
SCORE_MATCHING = _score_matching()
