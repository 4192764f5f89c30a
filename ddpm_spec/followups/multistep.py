"""A step that remembers the last three (PNDM; Liu et al. 2022)."""

from ddpm_spec.ops import Number

__all__ = ["four_step_noise"]


def four_step_noise(eps: Number, eps_1: Number, eps_2: Number, eps_3: Number) -> Number:
    """ε' = (55 ε_t − 59 ε_{t−δ} + 37 ε_{t−2δ} − 9 ε_{t−3δ}) / 24, to stand in a DDIM step for ε_θ.

    `eps`, `eps_1`, `eps_2`, `eps_3`: the predictions now and one, two, three steps of equal length before;
    any common shape. The rule of Adams and Bashforth: exact where ε is a cubic in time. The first three
    steps need another rule.
    """
    return (55 * eps - 59 * eps_1 + 37 * eps_2 - 9 * eps_3) / 24
