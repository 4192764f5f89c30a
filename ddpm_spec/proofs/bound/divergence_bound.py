"""From Eq. 3 to Eq. 5, for any number of steps (Eqs. 17 to 22)."""

from ddpm_spec.formulas import bound
from ddpm_spec.ops import log, total
from ddpm_spec.ops.typeset import Steps, T, rows, t
from ddpm_spec.proofs import path
from ddpm_spec.proofs.bound.bayes import BAYES_GIVEN_X_0
from ddpm_spec.proofs.bound.divergences import L_STEP, L_T, TOWER, as_divergence
from ddpm_spec.proofs.bound.laws import MU, bayes_laws, first_step_laws, p_prior, p_step, q_given, q_posterior
from ddpm_spec.proofs.bound.path_bound import MARKOV, PATHWISE, RATIO
from ddpm_spec.proofs.engine import Derivation, Expectation, Line
from ddpm_spec.proofs.forward import BASE
from ddpm_spec.proofs.letters import AT, SIGMA_SQUARED, X_0, X_T
from ddpm_spec.proofs.path import PRIOR, Q_GIVEN, Q_POSTERIOR, Q_STEP, P, Q
from ddpm_spec.proofs.sums import Identity

__all__ = ["SUM"]


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
                as_divergence(
                    L_T(T), bound.prior_term(X_0, AT), (Q_GIVEN(T), q_given()), (PRIOR(T), p_prior())
                ),
            ),
            Line(
                Expectation(rows(L_T(T), total(Steps(L_STEP(t), 2)), -log(P(1))), Q),
                "Average each term of the sum over $x_{t-1}$ given $x_t$ and $x_0$.",
                as_divergence(
                    L_STEP(t),
                    bound.step_term(X_0, X_T, MU, SIGMA_SQUARED, AT),
                    (post, q_posterior()),
                    (p, p_step()),
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


SUM = _sum()
