"""From Eq. 3 to Eq. 16, for any number of steps (Eqs. 23 to 26)."""

from ddpm_spec.formulas import bound, gaussian
from ddpm_spec.ops import log, sqrt, total, two_pi
from ddpm_spec.ops.typeset import Steps, T, Term, letter, named, rows, t
from ddpm_spec.proofs import path
from ddpm_spec.proofs.bound.bayes import BAYES_MARGINAL
from ddpm_spec.proofs.bound.divergences import ENTROPY, KL_STEP, KL_T, TOWER, as_divergence
from ddpm_spec.proofs.bound.laws import p_prior, p_step, q_marginal, q_marginal_prev, q_reverse, q_step
from ddpm_spec.proofs.bound.path_bound import MARKOV, PATHWISE
from ddpm_spec.proofs.engine import Derivation, Expectation, Line, Moments, Normal, Value
from ddpm_spec.proofs.letters import X_0, Z, positive
from ddpm_spec.proofs.path import PRIOR, Q_MARGINAL, Q_REVERSE, Q_STEP, P, Q
from ddpm_spec.proofs.sums import Identity

__all__ = ["ENTROPY_OF_NORMAL", "MARGINAL"]


def _kl(q: Normal, p: Normal) -> Term:
    kl: Term = gaussian.kl(q.mean, q.variance, p.mean, p.variance)
    return kl


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
                        (step, q_step()),
                        (back, q_reverse()),
                        (law, q_marginal()),
                        (law_prev, q_marginal_prev()),
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
                as_divergence(
                    KL_T(T),
                    _kl(q_marginal(), p_prior()),
                    (Q_MARGINAL(T), q_marginal()),
                    (PRIOR(T), p_prior()),
                ),
            ),
            Line(
                Expectation(rows(KL_T(T), divergences, -log(data)), Q),
                "Average each term of the sum over $x_{t-1}$ given $x_t$.",
                as_divergence(KL_STEP(t), _kl(q_reverse(), p_step()), (back, q_reverse()), (p, p_step())),
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


ENTROPY_OF_NORMAL = _entropy()
MARGINAL = _marginal_form()
