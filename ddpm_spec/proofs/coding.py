"""Claim C7: what Algorithm 3 sends costs the divergences of Eq. 5; what Algorithm 4 has is a path of q.

What one draw costs, from below and from above, is that of the scheme in `ddpm_spec.coding.draws`. The
arguments use of its random numbers no more than the means that their lines name.
"""

import sympy as sp

from ddpm_spec.formulas import bound, coding, forward, posterior
from ddpm_spec.ops import exp, log, total
from ddpm_spec.ops.typeset import Steps, T, letter, rows, t
from ddpm_spec.proofs.bound.bayes import BAYES_GIVEN_X_0
from ddpm_spec.proofs.bound.divergences import L_STEP, L_T
from ddpm_spec.proofs.bound.laws import bayes_laws, first_step_laws
from ddpm_spec.proofs.calculus import Averaged, AveragedBy, Tangent, compared
from ddpm_spec.proofs.engine import Derivation, Expectation, Line, Value
from ddpm_spec.proofs.forward import BASE
from ddpm_spec.proofs.letters import ONE, positive
from ddpm_spec.proofs.path import Q_GIVEN, Q_POSTERIOR, Q_STEP, Given, P, Put, Q
from ddpm_spec.proofs.sums import Identity

__all__ = ["AT_LEAST", "INDEX", "LENGTH", "MESSAGES", "RECEIVED"]

TWO = letter("2", sp.Integer(2))
RATIO = positive("r")
"""q(x) / p(x) for what is drawn."""
SHOWN = letter(r"x \sim q")
K = positive("K")
"""The index that is sent."""
D = positive("D")
"""The divergence in bits."""


def _at_least() -> Derivation:
    share = positive(r"2^{-\ell}")
    return Derivation(
        title="No scheme sends a draw in less than its divergence",
        nodes=("alg-3",),
        lines=(
            Line(
                Expectation(log(RATIO), SHOWN),
                r"The divergence of $q$ from $p$: $r = q(x) / p(x)$ for $x = x_K$, the draw that is shown.",
            ),
            Line(
                Expectation(log(RATIO * share) - log(share), SHOWN),
                r"$\ell$ is the length in bits of the word for $K$.",
            ),
            compared(
                Expectation(RATIO * share - 1 - log(share), SHOWN),
                r"$\log w \le w - 1$ for $w = r\, 2^{-\ell}$.",
                Tangent(RATIO * share, ONE),
            ),
            compared(
                Expectation(-log(share), SHOWN),
                r"The mean of $r\, 2^{-\ell}$ is $\sum_k 2^{-\ell(k)}\, \mathbb{E}[r(x_k);\, K = k]$. Drop "
                r"the condition $K = k$: $x_k$ is a draw from $p$, so $\mathbb{E}[r(x_k)] \le 1$, and words "
                r"that can be told apart have $\sum_k 2^{-\ell(k)} \le 1$ (Kraft). What remains is "
                r"$\ell \log 2$, the length in nats.",
                Averaged(RATIO * share, ONE, ONE, at_most=True),
            ),
        ),
        end=Expectation(-log(share), SHOWN),
        assumptions=(
            r"Kraft's inequality, and that no condition makes a mean of $r \ge 0$ larger: so the mean of "
            r"$r\, 2^{-\ell}$ is at most 1.",
        ),
    )


def _index() -> Derivation:
    m = positive("m")
    before, whole, half = 1 + m, 1 + RATIO, (1 + 1 / RATIO) / 2
    return Derivation(
        title="How large the index of a draw is",
        nodes=("alg-3",),
        lines=(
            Line(
                Expectation(log(K), SHOWN),
                r"$K$ is the index of the point with the least $T_k / r(x_k)$. Given that it shows $x$, the "
                r"number of points before it is geometric with mean $m = \sum_y p(y)\, (r(x) - r(y))_+$: "
                "they form a Poisson process, and the height of that point is exponential with mean 1.",
            ),
            compared(
                Expectation(log(before) + K / before - 1, SHOWN),
                r"$\log w \le w - 1$ for $w = K / (1 + m)$.",
                Tangent(K / before, ONE),
            ),
            Line(
                Expectation(log(before), SHOWN),
                r"$\mathbb{E}[K \mid x] = 1 + m$.",
                Averaged(K / before, ONE, ONE),
            ),
            compared(
                Expectation(log(whole) + before / whole - 1, SHOWN),
                r"$\log w \le w - 1$ for $w = (1 + m) / (1 + r)$.",
                Tangent(before / whole, ONE),
            ),
            compared(
                Expectation(log(whole), SHOWN),
                r"$m \le r$, for $r(y) \ge 0$ and $p$ sums to 1.",
                Averaged(before / whole, ONE, ONE, at_most=True),
            ),
            Line(Expectation(log(RATIO) + log(1 + 1 / RATIO), SHOWN), "Take $r$ out."),
            compared(
                Expectation(log(RATIO) + log(TWO) + half - 1, SHOWN),
                r"$\log w \le w - 1$ for $w = (1 + 1/r) / 2$.",
                Tangent(half, ONE),
            ),
            compared(
                Expectation(log(RATIO) + log(TWO), SHOWN),
                "The mean of $1/r$ is the probability that $p$ gives to what $q$ can show.",
                Averaged(1 / RATIO, ONE, ONE / 2, at_most=True),
            ),
            Line(
                Value(D * log(TWO) + log(TWO)),
                r"The mean of $\log r$ is the divergence, $D$ bits. That of $\log_2 K$ is at most $D + 1$.",
                Averaged(log(RATIO), D * log(TWO), ONE),
            ),
        ),
        end=Value(D * log(TWO) + log(TWO)),
        assumptions=(
            r"The means that the lines name: of $K$ given $x$, by the Poisson process, which a test counts; "
            r"of $1/r$, at most 1; and that $m \le r$.",
        ),
    )


def _length() -> Derivation:
    index = positive("L")
    most, bit = D + 2, log(TWO)
    return Derivation(
        title="What a message takes at most",
        nodes=("c-7",),
        lines=(
            Line(
                Expectation(index + 2 * log(index + 1) / bit + 1, SHOWN),
                r"Elias' $\delta$ code takes $\lfloor L \rfloor + 2 \lfloor \log_2(\lfloor L \rfloor + 1) "
                r"\rfloor + 1$ bits, $L = \log_2 K$; without rounding down it would take no less.",
            ),
            compared(
                Expectation(rows(index + 2 * log(most) / bit + 1, 2 / bit * ((index + 1) / most - 1)), SHOWN),
                r"$\log w \le w - 1$ for $w = (L + 1) / (D + 2)$.",
                Tangent((index + 1) / most, 2 / bit),
            ),
            compared(
                Value(D + 1 + 2 * log(most) / bit + 1),
                r"$\mathbb{E}[L] \le D + 1$, by “How large the index of a draw is” for $K = 2^L$.",
                AveragedBy(
                    INDEX,
                    at=((K, exp(bit * index)),),
                    averaged=Averaged(index, D + 1, 1 + 2 / (bit * most), at_most=True),
                    unit=bit,
                ),
            ),
        ),
        end=Value(coding.message_length(D)),
        formulas=(coding.message_length,),
        assumptions=(r"The length of a word of Elias' $\delta$ code, which a test counts.",),
    )


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
            "the $T + 1$ draws: “What a message takes at most”.",
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


AT_LEAST = _at_least()
INDEX = _index()
LENGTH = _length()
MESSAGES = _messages()
RECEIVED = _received()
