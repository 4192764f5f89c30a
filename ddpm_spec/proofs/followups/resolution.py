"""The shift of a schedule: what it does to the SNR, and where the factor comes from; the moving threshold."""

from ddpm_spec.followups import resolution, snr
from ddpm_spec.ops import sqrt
from ddpm_spec.ops.typeset import Term, named
from ddpm_spec.proofs.engine import Derivation, Line, Value
from ddpm_spec.proofs.letters import AT, ONE, positive

__all__ = [
    "CLIPPED",
    "CLIPPED_BELOW",
    "DERIVATIONS",
    "FIXED",
    "MOVED",
    "POOLED",
    "RESTORED",
    "SCALED",
    "SHIFT",
]

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


ABOVE, BEYOND = 1 + positive("u"), positive("w")


def _threshold(title: str, x: Term, quantile: Term, value: Term, reason: str) -> Derivation:
    """What becomes of a pixel x where the quantile is as given."""
    hat, q = named(r"\hat x_0", x), named("q", quantile)
    return Derivation(
        title=title,
        nodes=("beyond-threshold",),
        lines=(Line(Value(value), reason, where=(("q", quantile), (r"\hat x_0", x))),),
        end=Value(resolution.dynamic_threshold(hat, q)),
        formulas=(resolution.dynamic_threshold,),
    )


SHIFT = _shift()
POOLED = _pooled()
RESTORED = _restored()
SCALED = _scaled()
FIXED = _threshold(
    "Where the quantile is below 1",
    1 / (1 + BEYOND),
    1 / ABOVE,
    named(r"\hat x_0", 1 / (1 + BEYOND)),
    "$s = 1$, and a pixel inside $[-1, 1]$ stays as it is: the fixed clip.",
)
MOVED = _threshold(
    "Where it is above 1, a pixel inside",
    ABOVE / (1 + BEYOND),
    ABOVE,
    1 / (1 + BEYOND),
    "$s$ is the quantile $q$; a pixel inside $[-s, s]$ is divided by it.",
)
CLIPPED = _threshold(
    "A pixel above the threshold", ABOVE + BEYOND, ABOVE, ONE, "It is clipped to $s$, which becomes 1."
)
CLIPPED_BELOW = _threshold(
    "A pixel below it",
    -ABOVE - BEYOND,
    ABOVE,
    -ONE,
    "It is clipped to $-s$, which becomes $-1$; so every pixel ends in $[-1, 1]$.",
)

DERIVATIONS = (SHIFT, POOLED, RESTORED, SCALED, FIXED, MOVED, CLIPPED, CLIPPED_BELOW)
