"""Diffusion on symbols with a blank that absorbs (D3PM; Austin et al. 2021).

A step turns a symbol into the blank with probability β_t and never turns it back, so the fields of a
`Step` keep their meaning: ᾱ_t is the probability that a symbol is still there.
"""

from ddpm_spec.formulas.step import Step
from ddpm_spec.ops import Number

__all__ = ["absorbing_beta", "absorbing_term", "unmask_probability"]


def absorbing_beta(t: Number, T: Number) -> Number:
    """β_t = 1/(T − t + 1), which blanks a T-th of the symbols at every step: ᾱ_t = 1 − t/T."""
    return 1 / (T - t + 1)


def unmask_probability(at: Step) -> Number:
    """P(x_{t−1} = x_0 | x_t = blank, x_0) = β_t ᾱ_{t−1} / (1−ᾱ_t); 1/t with `absorbing_beta`."""
    return at.beta * at.alpha_bar_prev / at.one_minus_alpha_bar


def absorbing_term(log_p: Number, at: Step) -> Number:
    """L_{t−1} of one blank symbol in nats: P(unmask) times −log p̃_θ(x_0 | x_t).

    `log_p`: the log-probability that the network gives the true symbol, shape (…). A symbol that is still
    there costs nothing.
    """
    return -unmask_probability(at) * log_p
