"""Eq. 3: the negative log-likelihood is at most an average over the paths of the forward process."""

from ddpm_spec.formulas import bound
from ddpm_spec.ops import log, total
from ddpm_spec.ops.typeset import Steps, T, Term, named, rows, t
from ddpm_spec.proofs import path
from ddpm_spec.proofs.engine import Derivation, Expectation, Line
from ddpm_spec.proofs.path import PRIOR, Q_STEP, P, Q

__all__ = ["MARKOV", "PATH", "PATHWISE", "RATIO"]

RATIO = Expectation(-log(path.JOINT / path.FORWARD), Q)
"""The middle of Eq. 3, which is Eq. 17."""
PATHWISE = Expectation(rows(-log(PRIOR(T)), -total(Steps(log(P(t) / Q_STEP(t)), 1))), Q)
"""The right-hand side of Eq. 3, which is Eqs. 18 and 23."""

MARKOV = "The forward process is a Markov chain (Eq. 2) and the reverse process is one (Eq. 1)."


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


PATH = _path()
