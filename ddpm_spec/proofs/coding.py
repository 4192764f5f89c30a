"""Claim C7: what Algorithm 3 sends costs, draw by draw, the divergences of Eq. 5."""

from ddpm_spec.formulas import bound
from ddpm_spec.ops import log, total
from ddpm_spec.ops.typeset import Steps, T, rows, t
from ddpm_spec.proofs.bound import L_STEP, L_T, ONE
from ddpm_spec.proofs.engine import Derivation, Expectation, Line
from ddpm_spec.proofs.path import P, Q

__all__ = ["MESSAGES"]


def _messages() -> Derivation:
    steps = Steps(L_STEP(t), 2)
    return Derivation(
        title="What Algorithm 3 sends",
        nodes=("c-7",),
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
            "A draw costs its divergence up to the overhead of the scheme, which is proved with the scheme "
            "(`coding.draws`) and is paid once for each of the $T + 1$ draws.",
        ),
    )


MESSAGES = _messages()
