"""Schedules β_1..β_T (§4 and App. B): constant, linear and quadratic were tried, linear was chosen.

The cosine schedule came later (Nichol and Dhariwal 2021) and is here because it is set beside them.
"""

from ddpm_spec.ops import Number, cos, sin, sqrt, two_pi

__all__ = ["cosine_angle", "cosine_beta", "linear_beta", "quadratic_beta"]


def linear_beta(t: Number, T: Number, beta_1: Number, beta_T: Number) -> Number:
    """β_t of the paper's schedule (§4): linear in t from β_1 to β_T, for t in 1..T. Rounding: 2(1+κ)u."""
    return beta_1 + (beta_T - beta_1) * (t - 1) / (T - 1)


def quadratic_beta(t: Number, T: Number, beta_1: Number, beta_T: Number) -> Number:
    """β_t with √β_t linear in t, for t in 1..T, one of those that App. B tried.

    Rounding: 4(1+κ)u, since the square doubles what the root has lost by 2(1+κ)u.
    """
    return linear_beta(t, T, sqrt(beta_1), sqrt(beta_T)) ** 2


def cosine_angle(t: Number, T: Number, s: Number) -> Number:
    """The angle whose squared cosine is ᾱ_t up to a constant factor: π/2 · (t/T + s)/(1 + s).

    From Improved DDPM (Nichol and Dhariwal 2021), as is `cosine_beta`; not the paper's.
    """
    return two_pi(s) / 4 * (t + s * T) / (T * (1 + s))


def cosine_beta(t: Number, T: Number, s: Number) -> Number:
    """β_t = 1 − ᾱ_t/ᾱ_{t−1} of the cosine schedule (Nichol and Dhariwal 2021), not yet clipped at 0.999.

    With a and b the angles of t − 1 and t this is 1 − cos²b/cos²a. Formed so, it loses five digits at
    t = 1, where the quotient is nearly 1; as sin(a+b) sin(b−a)/cos²a it keeps them, with b − a taken
    from its own formula. Rounding: 5(1+κ)u with κ taken at the two angles,
    each of which has five roundings behind it.
    """
    a, step = cosine_angle(t - 1, T, s), two_pi(s) / (4 * T * (1 + s))
    return sin(2 * a + step) * sin(step) / cos(a) ** 2
