"""A step of Eq. 5 as a distance of means: Eqs. 8 to 10, and all the way to Eq. 12."""

from ddpm_spec.formulas import bound, forward, gaussian, objective, posterior, reverse
from ddpm_spec.ops import log, sqrt
from ddpm_spec.ops.typeset import Term, named, rows
from ddpm_spec.proofs.bound.laws import MU
from ddpm_spec.proofs.engine import By, Derivation, Line, Value, Within
from ddpm_spec.proofs.gaussian import KL, gaussian_kl, kl_at
from ddpm_spec.proofs.letters import AT, EPS, EPS_HAT, SIGMA_SQUARED, X_0, X_T
from ddpm_spec.proofs.objective import WEIGHT

__all__ = ["DISTANCE", "ELIMINATED", "TARGET", "TO_NOISE"]

X_T_OF_NOISE: Term = forward.q_sample(X_0, EPS, AT)


def _x_t() -> Term:
    return named("x_t", forward.q_sample(X_0, EPS, AT))


def _mu_tilde(x_t: Term) -> Term:
    return named(r"\tilde\mu_t", posterior.posterior_mean(X_0, x_t, AT))


def _distance(x_t: Term = X_T, mean: Term = MU) -> Derivation:
    target = _mu_tilde(x_t)
    variance = named(r"\tilde\beta_t", posterior.posterior_variance(AT))
    divergence = gaussian_kl(target, variance, mean, SIGMA_SQUARED)
    return Derivation(
        title="A step of the bound as a distance of means",
        nodes=("eq-8",),
        lines=(
            Line(
                divergence.lines[0].form,
                r"The divergence in $L_{t-1}$ of Eq. 5, one coordinate, for $\Sigma_\theta = \sigma_t^2 I$; "
                r"$x$ is a draw from the posterior.",
                where=(
                    (r"\tilde\mu_t", posterior.posterior_mean(X_0, x_t, AT)),
                    (r"\tilde\beta_t", posterior.posterior_variance(AT)),
                    *divergence.lines[0].where,
                ),
            ),
            Line(
                Value(gaussian.kl(target, variance, mean, SIGMA_SQUARED)),
                "The divergence of two normal laws.",
                By(KL, kl_at(target, variance, mean, SIGMA_SQUARED)),
            ),
            Line(
                Value(
                    rows(
                        (target - mean) ** 2 / (2 * SIGMA_SQUARED),
                        (variance / SIGMA_SQUARED - 1 - log(variance / SIGMA_SQUARED)) / 2,
                    )
                ),
                r"Take apart what depends on $\theta$ and the constant $C$.",
            ),
        ),
        end=Value(
            rows(
                bound.mean_distance(target, mean, SIGMA_SQUARED),
                bound.variance_mismatch(variance, SIGMA_SQUARED),
            )
        ),
        end_tex=r"L_{t-1}",
        formulas=(
            bound.mean_distance,
            bound.variance_mismatch,
            gaussian.kl,
            posterior.posterior_mean,
            posterior.posterior_variance,
        ),
        assumptions=(
            r"$\Sigma_\theta = \sigma_t^2 I$ with $\sigma_t^2 > 0$ fixed; the norm in Eq. 8 is the sum over "
            "the coordinates, as is the divergence.",
            r"$2 \le t \le T$; the term of $t = 1$ is the decoder's.",
        ),
    )


def _eliminated() -> Derivation:
    x_t = _x_t()
    target: Term = posterior.posterior_mean(X_0, x_t, AT)
    implied: Term = reverse.predict_x_0(x_t, EPS, AT)
    x_0 = named(r"\hat x_0", implied)
    without: Term = posterior.posterior_mean(x_0, x_t, AT)
    return Derivation(
        title="The image eliminated",
        nodes=("eq-9",),
        lines=(
            Line(
                Value((named(r"\tilde\mu_t", target) - MU) ** 2 / (2 * SIGMA_SQUARED)),
                "Eq. 8 without its constant, one coordinate, at the $x_t$ that $x_0$ and the noise make.",
                where=(("x_t", X_T_OF_NOISE), (r"\tilde\mu_t", target)),
            ),
            Line(
                Value((named(r"\tilde\mu_t", without) - MU) ** 2 / (2 * SIGMA_SQUARED)),
                r"Solve Eq. 4 for $x_0$: now $\tilde\mu_t$ is a function of $x_t$ and $\epsilon$.",
                where=((r"\tilde\mu_t", without), (r"\hat x_0", implied)),
            ),
        ),
        end=Value(
            bound.mean_distance(
                named(r"\tilde\mu_t", posterior.posterior_mean(x_0, x_t, AT)), MU, SIGMA_SQUARED
            )
        ),
        end_tex="L_{t-1} - C",
        formulas=(bound.mean_distance, posterior.posterior_mean, reverse.predict_x_0, forward.q_sample),
        assumptions=(r"$2 \le t \le T$.",),
    )


def _target() -> Derivation:
    x_t = _x_t()
    v, v_prev = AT.one_minus_alpha_bar, AT.one_minus_alpha_bar_prev
    implied: Term = reverse.predict_x_0(x_t, EPS, AT)
    noise = AT.beta / (sqrt(AT.alpha) * sqrt(v)) * EPS
    means = (
        (
            posterior.posterior_mean(named(r"\hat x_0", implied), x_t, AT),
            r"Eq. 9, one coordinate: Eq. 7 at the $\hat x_0$ that $x_t$ and $\epsilon$ imply.",
        ),
        (
            rows(AT.beta / (v * sqrt(AT.alpha)) * x_t, sqrt(AT.alpha) * v_prev / v * x_t, -noise),
            r"Put in $\hat x_0$; $\sqrt{\bar\alpha_{t-1}}/\sqrt{\bar\alpha_t} = 1/\sqrt{\alpha_t}$.",
        ),
        (
            rows((AT.beta + AT.alpha * v_prev) / (v * sqrt(AT.alpha)) * x_t, -noise),
            "Collect $x_t$ over one denominator.",
        ),
        (
            1 / sqrt(AT.alpha) * x_t - noise,
            r"$\beta_t + \alpha_t(1-\bar\alpha_{t-1}) = 1-\bar\alpha_t$, the recursion of Eq. 4.",
        ),
    )
    names = (("x_t", X_T_OF_NOISE), (r"\hat x_0", implied)), (), (), ()
    return Derivation(
        title="The mean that the network has to predict",
        nodes=("eq-10",),
        lines=tuple(
            Line(
                Value((named(r"\tilde\mu_t", value) - MU) ** 2 / (2 * SIGMA_SQUARED)),
                reason,
                where=((r"\tilde\mu_t", value), *more),
            )
            for (value, reason), more in zip(means, names, strict=True)
        ),
        end=Value(bound.mean_distance(reverse.mean_from_eps(x_t, EPS, AT), MU, SIGMA_SQUARED)),
        end_tex="L_{t-1} - C",
        formulas=(bound.mean_distance, reverse.mean_from_eps, posterior.posterior_mean, reverse.predict_x_0),
        assumptions=(r"$2 \le t \le T$.",),
    )


def _to_noise() -> Derivation:
    x_t = _x_t()
    mean: Term = reverse.mean_from_eps(x_t, EPS_HAT, AT)
    mu = named(r"\mu_\theta", mean)
    constant: Term = bound.variance_mismatch(posterior.posterior_variance(AT), SIGMA_SQUARED)
    c = named("C", constant)
    at_mu = ((MU, mean),)
    distance = _distance(x_t, mu)
    first = distance.lines[0]
    implied: Term = reverse.predict_x_0(x_t, EPS, AT)
    without: Term = posterior.posterior_mean(named(r"\hat x_0", implied), x_t, AT)
    return Derivation(
        title="From Eq. 5 to Eq. 12",
        nodes=("eq-12",),
        lines=(
            Line(
                first.form,
                r"The divergence in $L_{t-1}$ of Eq. 5, one coordinate, for $\Sigma_\theta = \sigma_t^2 I$.",
                where=(("x_t", X_T_OF_NOISE), (r"\mu_\theta", mean), *first.where),
            ),
            Line(
                Value(rows(bound.mean_distance(_mu_tilde(x_t), mu, SIGMA_SQUARED), c)),
                "A distance of means and a constant (Eq. 8).",
                By(distance),
                where=(("C", constant),),
                node="eq-8",
            ),
            Line(
                Value(rows(bound.mean_distance(named(r"\tilde\mu_t", without), mu, SIGMA_SQUARED), c)),
                "Eliminate $x_0$ (Eq. 9).",
                Within(ELIMINATED, at_mu),
                where=((r"\tilde\mu_t", without), (r"\hat x_0", implied)),
                node="eq-9",
            ),
            Line(
                Value(rows(bound.mean_distance(reverse.mean_from_eps(x_t, EPS, AT), mu, SIGMA_SQUARED), c)),
                "Apply Eq. 7 (Eq. 10).",
                Within(TARGET, at_mu),
                node="eq-10",
            ),
            Line(
                Value(rows(objective.eps_weight(SIGMA_SQUARED, AT) * objective.simple_loss(EPS, EPS_HAT), c)),
                r"$\mu_\theta$ of Eq. 11 differs from that mean in the noise only.",
                Within(WEIGHT),
                node="eq-12",
            ),
        ),
        end=Value(rows(objective.eps_weight(SIGMA_SQUARED, AT) * objective.simple_loss(EPS, EPS_HAT), c)),
        end_tex="L_{t-1}",
        formulas=(
            bound.mean_distance,
            bound.variance_mismatch,
            objective.eps_weight,
            objective.simple_loss,
            reverse.mean_from_eps,
            posterior.posterior_mean,
        ),
        assumptions=WEIGHT.assumptions,
    )


DISTANCE = _distance()
ELIMINATED = _eliminated()
TARGET = _target()
TO_NOISE = _to_noise()
