"""A codelength in bits a coordinate."""

from ddpm_spec.formulas import bound
from ddpm_spec.ops import Number, log
from ddpm_spec.ops.typeset import letter
from ddpm_spec.proofs.engine import Derivation, Line, Value
from ddpm_spec.proofs.letters import ONE, positive

__all__ = ["BITS"]


def _bits() -> Derivation:
    nats, two = letter("L"), letter("2", 2 * ONE.value)
    dims: Number = positive("D")
    return Derivation(
        title="Bits a coordinate",
        nodes=("eq-5",),
        lines=(
            Line(
                Value(nats),
                r"A codelength in nats. A bit is $\log 2$ nats and there are $D$ coordinates, so $b$ bits "
                r"for each are $b D \log 2$ nats in all.",
            ),
        ),
        end=Value(bound.bits_per_dim(nats, dims) * (dims * log(two))),
        end_tex=r"b D \log 2",
        formulas=(bound.bits_per_dim,),
    )


BITS = _bits()
