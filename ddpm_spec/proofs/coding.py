"""Claim C7: what Algorithm 3 sends costs the divergences of Eq. 5; what Algorithm 4 has is a path of q."""

from ddpm_spec.formulas import bound, forward, posterior
from ddpm_spec.ops import log, total
from ddpm_spec.ops.typeset import Steps, T, rows, t
from ddpm_spec.proofs.bound import BAYES_GIVEN_X_0, L_STEP, L_T, ONE, bayes_laws, first_step_laws
from ddpm_spec.proofs.engine import Derivation, Expectation, Line, Value
from ddpm_spec.proofs.forward import BASE
from ddpm_spec.proofs.path import Q_GIVEN, Q_POSTERIOR, Q_STEP, Given, P, Put, Q
from ddpm_spec.proofs.sums import Identity

__all__ = ["MESSAGES", "RECEIVED"]


def _messages() -> Derivation:
    steps = Steps(L_STEP(t), 2)
    return Derivation(
        title="What Algorithm 3 sends",
        nodes=("c-7", "alg-3"),
        lines=(
            Line(
                Expectation(rows(L_T(T), total(steps), ONE * log(ONE / P(1))), Q),
                "A draw costs the divergence of its law from the one that the receiver knows: $x_T$, then "
                r"$x_{t-1}$ for $t = T..2$, then $x_0$, which its sender knows and so draws with "
                "probability 1.",
            ),
            Line(
                Expectation(rows(L_T(T), total(steps), -log(P(1))), Q),
                "The divergence of a certain law is the logarithm of one over what it is certain of.",
            ),
        ),
        end=Expectation(bound.divergence_bound(L_T(T), steps, -log(P(1))), Q),
        end_tex="L",
        formulas=(bound.divergence_bound,),
        assumptions=(
            "A draw costs its divergence up to the overhead of the scheme, which is paid once for each of "
            "the $T + 1$ draws. The bounds on it are argued in words, with the scheme (`coding.draws`), and "
            "tested by exact sums; no step of this derivation checks them.",
        ),
    )


def _received() -> Derivation:
    step, post = Q_STEP(t), Q_POSTERIOR(t)
    given, given_prev = Q_GIVEN(t), Q_GIVEN(t - 1)
    last = log(Q_GIVEN(T))
    path_of_q = total(Steps(log(step), 1))
    return Derivation(
        title="What Algorithm 4 receives",
        nodes=("alg-4",),
        lines=(
            Line(
                Value(rows(last, total(Steps(log(post), 2)))),
                "The law of what was sent, and so of what is received: $x_T$ from $q(x_T \\mid x_0)$, then "
                "each $x_{t-1}$ from $q(x_{t-1} \\mid x_t, x_0)$.",
            ),
            Line(
                Value(rows(last, total(Steps(log(step) - log(given) + log(given_prev), 2)))),
                "Bayes' rule given $x_0$, for $t \\ge 2$.",
                Put(
                    BAYES_GIVEN_X_0,
                    identity=Identity(step, log(post) + log(given) - log(given_prev), first=2),
                    meaning=bayes_laws(),
                ),
            ),
            Line(
                Value(rows(log(Q_GIVEN(1)), total(Steps(log(step), 2)))),
                "The sum of differences telescopes: of $q(x_t \\mid x_0)$ the first remains.",
                Given(()),
            ),
            Line(
                Value(rows(log(Q_STEP(1)), total(Steps(log(step), 2)))),
                "The law of $x_1$ given $x_0$ is the first step of $q$.",
                Put(
                    BASE,
                    identity=Identity(Q_STEP(1), log(Q_GIVEN(1))),
                    meaning=first_step_laws(),
                ),
            ),
            Line(Value(path_of_q), "One sum: the path of Eq. 2.", Given(())),
        ),
        end=Value(path_of_q),
        end_tex=r"\log q(x_{1:T} \mid x_0)",
        formulas=(
            posterior.posterior_mean,
            posterior.posterior_variance,
            forward.q_step_mean,
            forward.q_mean,
        ),
        assumptions=(
            "The receiver draws what the sender drew: the same proposals from the shared random numbers, the "
            "same one of them by the index that was sent (tested on every message).",
        ),
    )


MESSAGES = _messages()
RECEIVED = _received()
