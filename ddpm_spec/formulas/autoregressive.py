"""What an autoregressive model pays for an example (§4.3, claim C8)."""

from ddpm_spec.ops import Number, total

__all__ = ["negative_log_likelihood"]


def negative_log_likelihood(log_p: Number) -> Number:
    """−Σ_i log p(x^i | x^{i+1}..x^D) in nats, to which Eq. 16 comes in §4.3.

    `log_p`: the logarithm of each coordinate's probability given those that come before it in the order
    of the model, shape (…, D).
    """
    return -total(log_p)
