"""What a message costs besides the divergence that it carries (§4.3), in bits."""

from ddpm_spec.ops import Number, log, one

__all__ = ["message_length"]


def message_length(divergence: Number) -> Number:
    """What the mean length of a message of Algorithm 3 stays below: D + 2 + 2 log₂(D + 2) bits.

    `divergence`: D = D_KL(q ‖ p) in bits, at least 0, of the law q that is drawn from and the law p that the
    receiver knows. It holds for the scheme of `ddpm_spec.coding.draws`.
    """
    return divergence + 2 + 2 * log(divergence + 2) / log(2 * one(divergence))
