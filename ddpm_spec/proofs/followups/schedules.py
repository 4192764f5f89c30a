"""The rescaled schedule: its ends, and the β_t that follow from it."""

from ddpm_spec.followups import schedules
from ddpm_spec.formulas import forward
from ddpm_spec.proofs.engine import Derivation, Line, Value
from ddpm_spec.proofs.letters import AT, ZERO, positive

__all__ = ["BETA", "DERIVATIONS", "FIRST", "LAST", "LINE"]

ROOT = positive(r"\sqrt{\bar\alpha_t}")
ROOT_1 = positive(r"\sqrt{\bar\alpha_1}")
ROOT_T = positive(r"\sqrt{\bar\alpha_T}")


def _line() -> Derivation:
    share = (ROOT - ROOT_T) / (ROOT_1 - ROOT_T)
    return Derivation(
        title="The line through the two ends",
        nodes=("beyond-zero-snr",),
        lines=(
            Line(
                Value(share * ROOT_1 + (1 - share) * ZERO),
                r"$\sqrt{\bar\alpha_t}$ by its place between $\sqrt{\bar\alpha_T}$ and "
                r"$\sqrt{\bar\alpha_1}$; the "
                r"first is to become 0 and the second to stay.",
            ),
        ),
        end=Value(schedules.zero_terminal_root(ROOT, ROOT_1, ROOT_T)),
        end_tex=r"\sqrt{\bar\alpha_t'}",
        formulas=(schedules.zero_terminal_root,),
        assumptions=(r"$\bar\alpha_T < \bar\alpha_1$.",),
    )


def _at(title: str, root: str, value: str) -> Derivation:
    roots = {"1": ROOT_1, "T": ROOT_T, "0": ZERO}
    return Derivation(
        title=title,
        nodes=("beyond-zero-snr",),
        lines=(
            Line(
                Value(roots[value]), "The first step keeps its noise." if root == "1" else "Nothing is left."
            ),
        ),
        end=Value(schedules.zero_terminal_root(roots[root], ROOT_1, ROOT_T)),
        end_tex=rf"\sqrt{{\bar\alpha_{root}'}}",
        formulas=(schedules.zero_terminal_root,),
    )


def _beta() -> Derivation:
    return Derivation(
        title=r"The schedule from its $\bar\alpha_t$",
        nodes=("beyond-zero-snr",),
        lines=(
            Line(Value(AT.beta), r"What Eq. 2 needs at step $t$."),
            Line(Value(1 - AT.alpha), r"$\alpha_t = 1 - \beta_t$."),
        ),
        end=Value(
            schedules.beta_between(forward.alpha_bar(AT.alpha, AT.alpha_bar_prev), AT.alpha_bar_prev),
        ),
        end_tex=r"\beta_t",
        formulas=(schedules.beta_between, forward.alpha_bar),
    )


LINE = _line()
FIRST = _at("The first end", "1", "1")
LAST = _at("The last end", "T", "0")
BETA = _beta()

DERIVATIONS = (LINE, FIRST, LAST, BETA)
