"""What any implementation of the paper must satisfy, whoever wrote it.

An adapter with the eight methods and three attributes of `protocol.Implementation` makes an
implementation readable here; it takes about thirty lines. `check` runs every law on it, and each result
names the equation that it speaks about, the deviation that was measured, the deviation that rounding
explains, and the step at which the worst was seen:

    from ddpm_spec.laws import check, report

    report(check(Adapter(their_model)))  # float64 tables and arithmetic
    report(check(Adapter(their_model), unit=2.0**-24))  # float32

`tests/laws/test_toy.py` plugs in a small implementation that is wrong in three ways: no division by
1 − ᾱ_t in β̃_t, noise in the last step of the sampler, a smooth L1 loss. All laws hold for it but these:

    Eq. 7: variance of the mean and mean of the …    7.1e-02  t = 6
    Algorithm 2: at t = 1 no noise is added          1.9e-01  t = 1
    Eq. 14: an error in the noise costs its …        4.8e-01  t = 4, 1, 10

A law states its expectation from β_1..β_T alone, by covariances, precisions, signal-to-noise ratios and
quadrature; it uses nothing from `formulas`. Random numbers are not involved. No two laws are the same: for
each pair there is a wrong implementation in `tests/laws/wrong.py` that breaks one and not the other.
"""

from ddpm_spec.laws.protocol import Array, Implementation, Network
from ddpm_spec.laws.runner import LAWS, Law, Result, check, report

__all__ = ["LAWS", "Array", "Implementation", "Law", "Network", "Result", "check", "report"]
