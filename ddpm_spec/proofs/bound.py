"""The bound: Eq. 3, from it to Eqs. 5 and 16 for any number of steps (App. A), and Eq. 5 to Eq. 12."""

from ddpm_spec.formulas import bound, forward, gaussian, objective, posterior, reverse
from ddpm_spec.ops import Number, log, sqrt, total, two_pi
from ddpm_spec.ops.typeset import Steps, T, Term, letter, named, rows, t
from ddpm_spec.proofs import path
from ddpm_spec.proofs.engine import By, Derivation, Expectation, Line, Moments, Normal, Value, Within
from ddpm_spec.proofs.forward import BASE
from ddpm_spec.proofs.gaussian import KL, gaussian_kl
from ddpm_spec.proofs.letters import AT, AT_1, EPS, EPS_HAT, SIGMA_SQUARED, X_0, X_PREV, X_T, Z, positive
from ddpm_spec.proofs.objective import WEIGHT
from ddpm_spec.proofs.path import PRIOR, Q_GIVEN, Q_MARGINAL, Q_POSTERIOR, Q_REVERSE, Q_STEP, P, Q
from ddpm_spec.proofs.posterior import POSTERIOR
from ddpm_spec.proofs.sums import Identity, PathValue

__all__ = [
    "BAYES_GIVEN_X_0",
    "BAYES_MARGINAL",
    "BITS",
    "DISTANCE",
    "ELIMINATED",
    "MARGINAL",
    "PATH",
    "SUM",
    "TARGET",
    "TO_NOISE",
    "bayes_laws",
    "first_step_laws",
]

MU = letter(r"\mu_\theta")
ZERO, ONE = letter("0", X_T.value * 0), letter("1", X_T.value**0)

# E_q of the divergences, as numbers for each step.
L_T = path.divergence("L_T", Q_GIVEN, PRIOR)
L_STEP = path.divergence("L_step", Q_POSTERIOR, P)
KL_T = path.divergence("KL_T", Q_MARGINAL, PRIOR)
KL_STEP = path.divergence("KL_step", Q_REVERSE, P)
ENTROPY = PathValue("H", lambda x, prev: f"H({x})")

RATIO = Expectation(-log(path.JOINT / path.FORWARD), Q)
"""The middle of Eq. 3, which is Eq. 17."""
PATHWISE = Expectation(rows(-log(PRIOR(T)), -total(Steps(log(P(t) / Q_STEP(t)), 1))), Q)
"""The right-hand side of Eq. 3, which is Eqs. 18 and 23."""

TOWER = (
    "Divergences and the averages of the logarithms exist, so that the average over a path may be taken "
    "one variable after the other."
)
MARKOV = "The forward process is a Markov chain (Eq. 2) and the reverse process is one (Eq. 1)."


def _arguments(*terms: Term) -> tuple[tuple[Term, Term], ...]:
    """The letters of the lemma on divergences, and what stands for them."""
    letters = letter("m"), positive("v"), letter("m_p"), positive("v_p")
    return tuple(zip(letters, terms, strict=True))


def _divergence(
    value: Term, real: Term, q: tuple[Term, Normal], p: tuple[Term, Normal], first: int = 1
) -> path.Average:
    """log q − log p averages over q to a divergence; `real` is its value for the two normal laws."""
    (over, law), (instead_of, model) = q, p
    return path.Average(
        KL,
        _arguments(law.mean, law.variance, model.mean, model.variance),
        ratio=log(over) - log(instead_of),
        value=value,
        over=over,
        instead_of=instead_of,
        meaning=(q, p, (value, Value(real))),
        first=first,
    )


def _log(law: str, normal: Normal) -> Term:
    return named(rf"\log {law}", normal.term)


# ------------------------------------------------------------------------------------------- Bayes


def _step() -> Normal:
    return Normal(X_T, forward.q_step_mean(X_PREV, AT), forward.q_step_variance(AT))


def _given() -> Normal:
    return Normal(X_T, forward.q_mean(X_0, AT), forward.q_variance(AT))


def _given_prev() -> Normal:
    before = AT._replace(alpha_bar=AT.alpha_bar_prev, one_minus_alpha_bar=AT.one_minus_alpha_bar_prev)
    return Normal(X_PREV, forward.q_mean(X_0, before), forward.q_variance(before))


def _posterior() -> Normal:
    return Normal(X_PREV, posterior.posterior_mean(X_0, X_T, AT), posterior.posterior_variance(AT))


def _prior() -> Normal:
    return Normal(X_T, ZERO, ONE)


def _model() -> Normal:
    return Normal(X_PREV, MU, SIGMA_SQUARED)


def _kl(q: Normal, p: Normal) -> Term:
    kl: Term = gaussian.kl(q.mean, q.variance, p.mean, p.variance)
    return kl


def _bayes_given_x_0() -> Derivation:
    step, given, given_prev = _step(), _given(), _given_prev()
    log_step = _log(r"q(x_t \mid x_{t-1})", step)
    log_given, log_given_prev = _log(r"q(x_t \mid x_0)", given), _log(r"q(x_{t-1} \mid x_0)", given_prev)
    return Derivation(
        title="Bayes' rule given $x_0$",
        nodes=("lemma-bayes",),
        lines=(
            Line(Value(log_step), r"Eq. 2, for $t \ge 2$."),
            Line(
                Value(rows(log_step, log_given_prev, -log_given, log_given, -log_given_prev)),
                "Add and take away the two laws of Eq. 4.",
            ),
            Line(
                Value(
                    rows(_log(r"q(x_{t-1} \mid x_t, x_0)", _posterior()), log_given, -log_given_prev),
                ),
                "The first three are the forward process posterior, Eq. 6.",
                Within(POSTERIOR),
            ),
        ),
        end=Value(rows(_log(r"q(x_{t-1} \mid x_t, x_0)", _posterior()), log_given, -log_given_prev)),
        formulas=(
            posterior.posterior_mean,
            posterior.posterior_variance,
            forward.q_step_mean,
            forward.q_step_variance,
            forward.q_mean,
            forward.q_variance,
        ),
        assumptions=("The forward process is a Markov chain (Eq. 2).",),
    )


M_PREV, V_PREV = letter("m_{t-1}"), positive("V_{t-1}")


def _marginal_prev() -> Normal:
    return Normal(X_PREV, M_PREV, V_PREV)


def _marginal() -> Normal:
    mean = gaussian.linear_mean(M_PREV, sqrt(AT.alpha))
    return Normal(X_T, mean, gaussian.linear_variance(V_PREV, AT.alpha, AT.beta))


def _reverse() -> Normal:
    v = _marginal().variance
    mean = (AT.beta * M_PREV + sqrt(AT.alpha) * V_PREV * X_T) / v
    return Normal(X_PREV, mean, V_PREV * AT.beta / v)


def _bayes_marginal() -> Derivation:
    step, before, after, back = _step(), _marginal_prev(), _marginal(), _reverse()
    v, m, r = named("V_t", after.variance), named("m_*", back.mean), named("r_*", back.variance)
    names = rows(_log(r"q(x_{t-1} \mid x_t)", back), _log("q(x_t)", after), -_log("q(x_{t-1})", before))
    return Derivation(
        title="Bayes' rule with marginal laws",
        nodes=("lemma-bayes",),
        lines=(
            Line(
                Value(_log(r"q(x_t \mid x_{t-1})", step)),
                "Eq. 2. For normal data each $q(x_t)$ is normal; let that of $x_{t-1}$ have mean $m_{t-1}$ "
                "and variance $V_{t-1}$.",
            ),
            Line(
                Value(rows(-((X_T - step.mean) ** 2) / (2 * AT.beta), -log(two_pi(X_T) * AT.beta) / 2)),
                "Write the density out.",
            ),
            Line(
                Value(
                    rows(
                        -((X_PREV - m) ** 2) / (2 * r),
                        -((X_T - after.mean) ** 2) / (2 * v),
                        (X_PREV - M_PREV) ** 2 / (2 * V_PREV),
                        -log(two_pi(X_T) * AT.beta) / 2,
                    )
                ),
                r"Add and take away $(x_{t-1}-m_{t-1})^2/2V_{t-1}$ and complete the square in $x_{t-1}$.",
                where=(
                    ("V_t", after.variance),
                    ("m_*", (AT.beta * M_PREV + sqrt(AT.alpha) * V_PREV * X_T) / v),
                    ("r_*", V_PREV * AT.beta / v),
                ),
            ),
            Line(
                Value(
                    rows(
                        -((X_PREV - m) ** 2) / (2 * r) - log(two_pi(X_T) * r) / 2,
                        -((X_T - after.mean) ** 2) / (2 * v) - log(two_pi(X_T) * v) / 2,
                        (X_PREV - M_PREV) ** 2 / (2 * V_PREV) + log(two_pi(X_T) * V_PREV) / 2,
                    )
                ),
                r"The logarithms agree, since $r_* V_t = V_{t-1}\beta_t$.",
            ),
            Line(
                Value(names),
                r"Read off three normal laws: the second is that of $\sqrt{\alpha_t}\,x_{t-1}$ plus noise, "
                "so the first is the law of $x_{t-1}$ given $x_t$.",
            ),
        ),
        end=Value(names),
        formulas=(gaussian.linear_mean, gaussian.linear_variance, forward.q_step_mean, gaussian.log_density),
        assumptions=(
            r"The data are normal, $x_0 \sim \mathcal{N}(m, v)$. For any other law this line is the "
            r"definition of $q(x_{t-1} \mid x_t)$.",
        ),
    )


# ------------------------------------------------------------------------------------------- Eq. 3


def _path() -> Derivation:
    joint = named(r"p_\theta(x_{0:T})", path.JOINT)
    forward_path = named(r"q(x_{1:T} \mid x_0)", path.FORWARD)
    ratio = joint / forward_path
    evidence = named(r"p_\theta(x_0)", path.integral(joint))
    mean = Term(
        rf"\mathbb{{E}}_{{q(x_{{1:T}} \mid x_0)}}\left[{ratio.tex}\right]",
        path.integral(forward_path * ratio).value,
    )
    return Derivation(
        title="The variational bound",
        nodes=("eq-3", "c-5"),
        lines=(
            Line(
                Expectation(-log(evidence), Q),
                "The negative log-likelihood of $x_0$, whose likelihood is that of all paths that end there.",
                where=((r"p_\theta(x_{0:T})", path.JOINT), (r"p_\theta(x_0)", path.integral(joint))),
            ),
            Line(
                Expectation(-log(mean), Q),
                "Multiply and divide by the forward process: the integral is an average over it.",
                where=((r"q(x_{1:T} \mid x_0)", path.FORWARD),),
            ),
            Line(
                Expectation(-log(ratio), Q),
                r"Jensen's inequality: $-\log$ is convex.",
                path.Jensen(forward_path, ratio),
                relation=r"\le",
            ),
            Line(RATIO, "Put in Eqs. 1 and 2."),
            Line(PATHWISE, "The logarithm of a product is a sum."),
        ),
        end=Expectation(bound.path_bound(log(PRIOR(T)), Steps(log(P(t)), 1), Steps(log(Q_STEP(t)), 1)), Q),
        formulas=(bound.path_bound,),
        assumptions=(
            r"Jensen's inequality, $-\log \mathbb{E}[R] \le \mathbb{E}[-\log R]$ for $R > 0$.",
            MARKOV,
            "All densities are positive and the averages exist.",
        ),
    )


# ---------------------------------------------------------------------------------- Eqs. 17 to 22


def bayes_laws() -> tuple[tuple[Term, Normal], ...]:
    """The laws that Bayes' rule given x_0 is about, and their densities."""
    return (
        (Q_STEP(t), _step()),
        (Q_POSTERIOR(t), _posterior()),
        (Q_GIVEN(t), _given()),
        (Q_GIVEN(t - 1), _given_prev()),
    )


def first_step_laws() -> tuple[tuple[Term, Normal], ...]:
    """q(x_1 | x_0), as the first step of Eq. 2 and by Eq. 4."""
    x_1 = letter("x_1")
    return (
        (Q_STEP(1), Normal(x_1, forward.q_step_mean(X_0, AT_1), forward.q_step_variance(AT_1))),
        (Q_GIVEN(1), Normal(x_1, forward.q_mean(X_0, AT_1), forward.q_variance(AT_1))),
    )


def _sum() -> Derivation:
    p, step, post = P(t), Q_STEP(t), Q_POSTERIOR(t)
    given, given_prev = Q_GIVEN(t), Q_GIVEN(t - 1)
    prior, first = -log(PRIOR(T)), -log(P(1) / Q_STEP(1))
    ratios = -total(Steps(log(p / post), 2))
    divergences = L_T(T), Steps(L_STEP(t), 2), -log(P(1))
    return Derivation(
        title="From Eq. 3 to Eq. 5",
        nodes=("eq-17", "eq-18", "eq-19", "eq-20", "eq-21", "eq-22", "eq-5"),
        lines=(
            Line(RATIO, "Eq. 3, with the products of Eqs. 1 and 2.", node="eq-17"),
            Line(PATHWISE, "The logarithm of a product is a sum.", node="eq-18"),
            Line(
                Expectation(rows(prior, -total(Steps(log(p / step), 2)), first), Q),
                "Take the term of $t = 1$ apart.",
                node="eq-19",
            ),
            Line(
                Expectation(rows(prior, -total(Steps(log(p / post * (given_prev / given)), 2)), first), Q),
                r"Bayes' rule given $x_0$, for $t \ge 2$.",
                path.Put(
                    BAYES_GIVEN_X_0,
                    identity=Identity(step, log(post) + log(given) - log(given_prev), first=2),
                    meaning=bayes_laws(),
                ),
                node="eq-20",
            ),
            Line(
                Expectation(rows(prior, ratios, -total(Steps(log(given_prev) - log(given), 2)), first), Q),
                "Two sums, the second one of differences.",
            ),
            Line(
                Expectation(rows(prior, ratios, -log(Q_GIVEN(1) / Q_GIVEN(T)), first), Q),
                "The sum of differences telescopes: its ends remain.",
            ),
            Line(
                Expectation(rows(-log(PRIOR(T) / Q_GIVEN(T)), ratios, -log(P(1))), Q),
                r"$q(x_1 \mid x_0)$ stands in two terms and cancels; the rest is collected.",
                path.Put(
                    BASE,
                    identity=Identity(Q_STEP(1), log(Q_GIVEN(1))),
                    meaning=first_step_laws(),
                ),
                node="eq-21",
            ),
            Line(
                Expectation(rows(L_T(T), ratios, -log(P(1))), Q),
                "Average the first term over $x_T$ given $x_0$: a divergence, by definition.",
                _divergence(L_T(T), bound.prior_term(X_0, AT), (Q_GIVEN(T), _given()), (PRIOR(T), _prior())),
            ),
            Line(
                Expectation(rows(L_T(T), total(Steps(L_STEP(t), 2)), -log(P(1))), Q),
                "Average each term of the sum over $x_{t-1}$ given $x_t$ and $x_0$.",
                _divergence(
                    L_STEP(t),
                    bound.step_term(X_0, X_T, MU, SIGMA_SQUARED, AT),
                    (post, _posterior()),
                    (p, _model()),
                    first=2,
                ),
                node="eq-22",
            ),
        ),
        end=Expectation(bound.divergence_bound(*divergences), Q),
        end_tex="L",
        formulas=(bound.path_bound, bound.divergence_bound, bound.prior_term, bound.step_term),
        assumptions=(MARKOV, TOWER),
    )


# ---------------------------------------------------------------------------------- Eqs. 23 to 26


def _entropy() -> Derivation:
    m, v = letter("m"), positive("v")
    x = m + sqrt(v) * Z
    return Derivation(
        title="Entropy of a normal law",
        nodes=(),
        lines=(
            Line(
                Expectation(-Normal(named("x", x), m, v).name, Z),
                "The definition, with a draw written by a standard normal $z$.",
                where=(("x", x),),
            ),
            Line(
                Expectation(rows(Z**2 / 2, log(two_pi(v) * v) / 2), Z),
                "Write the log-density out.",
            ),
            Line(Value((log(two_pi(v) * v) + 1) / 2), r"$\mathbb{E}[z^2] = 1$.", Moments()),
        ),
        end=Value(gaussian.entropy(v)),
        formulas=(gaussian.entropy, gaussian.log_density),
    )


def _marginal_form() -> Derivation:
    p, step, back = P(t), Q_STEP(t), Q_REVERSE(t)
    law, law_prev = Q_MARGINAL(t), Q_MARGINAL(t - 1)
    m, v = letter("m"), positive("v")
    prior = -log(PRIOR(T))
    ratios = -total(Steps(log(p / back), 1))
    divergences = total(Steps(KL_STEP(t), 1))
    data = Q_MARGINAL(0)
    return Derivation(
        title="From Eq. 3 to Eq. 16",
        nodes=("eq-23", "eq-24", "eq-25", "eq-26", "eq-16"),
        lines=(
            Line(PATHWISE, "Eq. 3.", node="eq-23"),
            Line(
                Expectation(rows(prior, -total(Steps(log(p / back * (law_prev / law)), 1))), Q),
                r"Bayes' rule with the marginal laws, for $t \ge 1$.",
                path.Put(
                    BAYES_MARGINAL,
                    identity=Identity(step, log(back) + log(law) - log(law_prev)),
                    meaning=(
                        (step, _step()),
                        (back, _reverse()),
                        (law, _marginal()),
                        (law_prev, _marginal_prev()),
                    ),
                ),
                node="eq-24",
            ),
            Line(
                Expectation(rows(prior, ratios, -total(Steps(log(law_prev) - log(law), 1))), Q),
                "Two sums, the second one of differences.",
            ),
            Line(
                Expectation(rows(prior, ratios, -log(data / Q_MARGINAL(T))), Q),
                "The sum of differences telescopes: its ends remain.",
            ),
            Line(
                Expectation(rows(-log(PRIOR(T) / Q_MARGINAL(T)), ratios, -log(data)), Q),
                "Collect the two laws of $x_T$.",
                node="eq-25",
            ),
            Line(
                Expectation(rows(KL_T(T), ratios, -log(data)), Q),
                "Average the first term over $x_T$: a divergence, by definition.",
                _divergence(
                    KL_T(T), _kl(_marginal(), _prior()), (Q_MARGINAL(T), _marginal()), (PRIOR(T), _prior())
                ),
            ),
            Line(
                Expectation(rows(KL_T(T), divergences, -log(data)), Q),
                "Average each term of the sum over $x_{t-1}$ given $x_t$.",
                _divergence(KL_STEP(t), _kl(_reverse(), _model()), (back, _reverse()), (p, _model())),
            ),
            Line(
                Expectation(rows(KL_T(T), divergences, ENTROPY(0)), Q),
                "The average of the last term is the entropy of the data. The first and the last term do not "
                "depend on the path, so the paper writes them outside the average.",
                path.Average(
                    ENTROPY_OF_NORMAL,
                    ratio=-log(data),
                    value=ENTROPY(0),
                    over=data,
                    instead_of=data,
                    meaning=((data, Normal(X_0, m, v)), (ENTROPY(0), Value(gaussian.entropy(v)))),
                ),
                node="eq-26",
            ),
        ),
        end=Expectation(bound.marginal_bound(KL_T(T), Steps(KL_STEP(t), 1), ENTROPY(0)), Q),
        end_tex="L",
        formulas=(bound.path_bound, bound.marginal_bound, gaussian.kl, gaussian.entropy),
        assumptions=(
            MARKOV,
            TOWER,
            r"$q(x_{t-1} \mid x_t)$, $q(x_t)$ and $H(x_0)$ exist. For any data law Bayes' rule is the "
            "definition of the first; the lemmas in the folds show it, the divergences and the entropy "
            "for normal data.",
        ),
    )


# ----------------------------------------------------------------------------------- Eqs. 8 to 12

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
                By(KL, _arguments(target, variance, mean, SIGMA_SQUARED)),
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


def _bits() -> Derivation:
    nats, two = letter("L"), letter("2", 2 * ONE.value)
    dims: Number = positive("D")
    return Derivation(
        title="Bits a coordinate",
        nodes=("eq-5",),
        lines=(
            Line(
                Value(nats),
                r"A codelength in nats. A bit is $\log 2$ nats and there are $D$ coordinates, so $b$ bits "
                r"for each are $b D \log 2$ nats in all.",
            ),
        ),
        end=Value(bound.bits_per_dim(nats, dims) * (dims * log(two))),
        end_tex=r"b D \log 2",
        formulas=(bound.bits_per_dim,),
    )


ENTROPY_OF_NORMAL = _entropy()
BAYES_GIVEN_X_0 = _bayes_given_x_0()
BAYES_MARGINAL = _bayes_marginal()
PATH = _path()
SUM = _sum()
MARGINAL = _marginal_form()
DISTANCE = _distance()
ELIMINATED = _eliminated()
TARGET = _target()
TO_NOISE = _to_noise()
BITS = _bits()
