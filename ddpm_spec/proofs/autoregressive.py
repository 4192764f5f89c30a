"""Claim C8: with masking for noise and T = D, the bound is what an autoregressive model pays."""

from ddpm_spec.formulas import autoregressive, bound
from ddpm_spec.ops import log, total
from ddpm_spec.ops.typeset import Steps, T, rows, t
from ddpm_spec.proofs.bound.divergences import ENTROPY, KL_STEP, KL_T, TOWER
from ddpm_spec.proofs.engine import Derivation, Expectation, Line
from ddpm_spec.proofs.letters import ZERO
from ddpm_spec.proofs.path import PRIOR, Q_MARGINAL, Q_REVERSE, Q_STEP, Given, P, Q
from ddpm_spec.proofs.sums import Identity, PathLaw

__all__ = ["CONDITIONAL", "FROM_MARGINALS", "FROM_PATH"]

CONDITIONAL = PathLaw("conditional", lambda x, prev: rf"p_\theta(x_0^{{{x[2:].strip('{}')}}} \mid {x})")
"""The law that the model gives coordinate t of the data, given those after it: all that x_t shows."""

MASKING = (
    r"$T = D$, and $x_t$ is $x_0$ with the coordinates $1..t$ blank, so $q(x_t \mid x_{t-1})$ is 1 on the "
    "path and 0 elsewhere."
)
BLANK = "$p(x_T)$ is 1 at the blank image."
COPIES = (
    r"$p_\theta(x_{t-1} \mid x_t)$ copies what $x_t$ shows and gives coordinate $t$ any law. A model that "
    r"does not copy pays $-\log$ of the probability that it does, in addition."
)

CERTAIN = Identity(PRIOR(T), ZERO), Identity(Q_STEP(t), ZERO)
COPIED = Identity(P(t), log(CONDITIONAL(t)))


def _end() -> Expectation:
    return Expectation(autoregressive.negative_log_likelihood(Steps(log(CONDITIONAL(t)), 1)), Q)


def _from_path() -> Derivation:
    log_p, log_q = Steps(log(P(t)), 1), Steps(log(Q_STEP(t)), 1)
    return Derivation(
        title="With masking, from Eq. 3",
        nodes=("c-8",),
        lines=(
            Line(Expectation(bound.path_bound(log(PRIOR(T)), log_p, log_q), Q), "Eq. 3."),
            Line(
                Expectation(-total(log_p), Q),
                "Masking is no choice, and after $T$ steps nothing is left: two densities are 1.",
                Given(CERTAIN),
            ),
            Line(
                Expectation(-total(Steps(log(CONDITIONAL(t)), 1)), Q),
                "A model that copies has only coordinate $t$ left to guess.",
                Given((COPIED,)),
            ),
        ),
        end=_end(),
        formulas=(autoregressive.negative_log_likelihood, bound.path_bound),
        assumptions=(MASKING, BLANK, COPIES),
    )


def _from_marginals() -> Derivation:
    back, law, law_prev = Q_REVERSE(t), Q_MARGINAL(t), Q_MARGINAL(t - 1)
    data = -log(Q_MARGINAL(0))
    return Derivation(
        title="With masking, from Eq. 16",
        nodes=("c-8",),
        lines=(
            Line(
                Expectation(bound.marginal_bound(KL_T(T), Steps(KL_STEP(t), 1), ENTROPY(0)), Q),
                "Eq. 16.",
            ),
            Line(
                Expectation(
                    rows(
                        log(Q_MARGINAL(T)) - log(PRIOR(T)),
                        total(Steps(log(back) - log(P(t)), 1)),
                        data,
                    ),
                    Q,
                ),
                "What divergence and entropy are the averages of.",
                Given(
                    (
                        Identity(PRIOR(T), log(Q_MARGINAL(T)) - KL_T(T)),
                        Identity(P(t), log(back) - KL_STEP(t)),
                        Identity(Q_MARGINAL(0), -ENTROPY(0)),
                    ),
                    on_average=True,
                ),
            ),
            Line(
                Expectation(rows(total(Steps(log(back) - log(P(t)), 1)), data), Q),
                "The last image is blank under both laws.",
                Given((CERTAIN[0], Identity(Q_MARGINAL(T), ZERO))),
            ),
            Line(
                Expectation(rows(total(Steps(log(law_prev) - log(law) - log(P(t)), 1)), data), Q),
                r"Bayes' rule with marginal laws: $x_t$ is known from $x_{t-1}$, so $q(x_{t-1} \mid x_t)$ is "
                "a quotient of two.",
                Given((Identity(back, log(law_prev) - log(law)),)),
            ),
            Line(
                Expectation(rows(-total(Steps(log(P(t)), 1)), -log(Q_MARGINAL(T))), Q),
                "The sum telescopes; what it leaves of the data cancels.",
            ),
            Line(
                Expectation(-total(Steps(log(P(t)), 1)), Q),
                "The last image is blank.",
                Given((Identity(Q_MARGINAL(T), ZERO),)),
            ),
            Line(
                Expectation(-total(Steps(log(CONDITIONAL(t)), 1)), Q),
                "A model that copies has only coordinate $t$ left to guess.",
                Given((COPIED,)),
            ),
        ),
        end=_end(),
        formulas=(autoregressive.negative_log_likelihood, bound.marginal_bound),
        assumptions=(MASKING, BLANK, COPIES, TOWER),
    )


FROM_PATH = _from_path()
FROM_MARGINALS = _from_marginals()
