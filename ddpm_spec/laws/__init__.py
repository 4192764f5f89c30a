"""What any implementation of the paper must satisfy, whoever wrote it.

An adapter with the eight methods and three attributes of `protocol.Implementation` makes an
implementation readable here; it takes about thirty lines. `check` runs every law on it, and each result
names the equation that it speaks about, the deviation that was measured, the deviation that rounding
explains, and the step at which the worst was seen:

    from ddpm_spec.laws import check, report

    report(check(Adapter(their_model)))            # float64 tables and arithmetic
    report(check(Adapter(their_model), unit=2.0**-24))     # float32

A law states its expectation from β_1..β_T alone, by covariances, precisions, signal-to-noise ratios and
quadrature; it uses nothing from `formulas`. Random numbers are not involved.
"""

from ddpm_spec.laws.protocol import Array, Implementation, Network
from ddpm_spec.laws.runner import LAWS, Law, Result, check, report

__all__ = ["LAWS", "Array", "Implementation", "Law", "Network", "Result", "check", "report"]
