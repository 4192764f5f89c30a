"""The shift of a schedule: what it does to the SNR, and where the factor comes from."""

from ddpm_spec.followups import resolution, snr
from ddpm_spec.ops import sqrt
from ddpm_spec.ops.typeset import named
from ddpm_spec.proofs.engine import Derivation, Line, Value
from ddpm_spec.proofs.letters import AT, positive

__all__ = ["POOLED", "RESTORED", "SCALED", "SHIFT"]

C, SIDE = positive("c"), positive("k")


def _shift() -> Derivation:
    shifted = resolution.shifted_alpha_bar(C, AT)
    a = named(r"\bar\alpha'", shifted)
    return Derivation(
        title="The shift multiplies the SNR",
        nodes=("beyond-shift",),
        lines=(
            Line(Value(a / (1 - a)), r"The SNR of the shifted schedule.", where=((r"\bar\alpha'", shifted),)),
            Line(
                Value(AT.alpha_bar * C / AT.one_minus_alpha_bar),
                r"The common denominator cancels.",
            ),
        ),
        end=Value(C * snr.snr(AT)),
        end_tex=r"\mathrm{SNR}'(t)",
        formulas=(resolution.shifted_alpha_bar, snr.snr),
    )


def _pooled() -> Derivation:
    return Derivation(
        title="Averaging pixels raises the SNR",
        nodes=("beyond-shift",),
        lines=(
            Line(
                Value(AT.alpha_bar / (AT.one_minus_alpha_bar / SIDE**2)),
                r"The mean of $k^2$ pixels keeps the content and divides the variance of the independent "
                r"noise by "
                r"$k^2$.",
            ),
        ),
        end=Value(resolution.pooled_snr(SIDE, AT)),
        formulas=(resolution.pooled_snr, snr.snr),
        assumptions=("The content is constant over the block.",),
    )


def _restored() -> Derivation:
    factor = 1 / SIDE**2
    shifted = resolution.shifted_alpha_bar(factor, AT)
    a = named(r"\bar\alpha'", shifted)
    moved = AT._replace(alpha_bar=a, one_minus_alpha_bar=named(r"1-\bar\alpha'", 1 - shifted))
    return Derivation(
        title="The shift undoes the averaging",
        nodes=("beyond-shift",),
        lines=(
            Line(
                Value(snr.snr(AT)),
                r"The SNR at 64 × 64. An image of $d = 64k$ pixels a side gets $c = (64/d)^2 = 1/k^2$, and "
                r"is "
                "averaged down.",
                where=((r"\bar\alpha'", shifted),),
            ),
        ),
        end=Value(resolution.pooled_snr(SIDE, moved)),
        formulas=(resolution.pooled_snr, resolution.shifted_alpha_bar, snr.snr),
        assumptions=("The content is constant over the block.",),
    )


def _scaled() -> Derivation:
    b = positive("b")
    signal = b * sqrt(AT.alpha_bar)
    total = b**2 * AT.alpha_bar + AT.one_minus_alpha_bar
    return Derivation(
        title="A scaled input is the same move",
        nodes=("beyond-shift",),
        lines=(
            Line(
                Value((signal / sqrt(total)) ** 2),
                r"$b\sqrt{\bar\alpha_t}\,x_0 + \sqrt{1-\bar\alpha_t}\,\epsilon$, brought back to unit "
                r"variance: the "
                r"square of the factor of $x_0$.",
            ),
        ),
        end=Value(resolution.shifted_alpha_bar(b**2, AT)),
        end_tex=r"\bar\alpha_t'",
        formulas=(resolution.shifted_alpha_bar,),
        assumptions=("The data have unit variance.",),
    )


SHIFT = _shift()
POOLED = _pooled()
RESTORED = _restored()
SCALED = _scaled()
