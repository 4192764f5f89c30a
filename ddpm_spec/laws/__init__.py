"""What any implementation of the paper must satisfy, whoever wrote it.

An adapter makes an implementation readable here: an object with those parts of `protocol.Implementation`
that the implementation has. Each law says what it needs, and is not judged where that is lacking. `check`
runs every law. A result names the equation, the deviation that was measured, what rounding explains, and the
step at which the worst was seen:

    from ddpm_spec.laws import check, report

    report(check(Adapter(their_model)))

A law states its expectation from β_1..β_T alone, by covariances, precisions, signal-to-noise ratios and
quadrature; it uses nothing from `formulas`. Random numbers are not involved. No two laws are the same: for
each pair there is a wrong implementation in the catalogue of `mistakes` that breaks one and not the other.
NumPy is all that is imported, so the laws run in any environment.
"""

from importlib import import_module

# In the order of the paper, which is that of the reports.
# isort: off
from ddpm_spec.laws import schedule, forward, posterior, reverse, objective, bound, decoder  # noqa: F401
from ddpm_spec.laws import sampler, state, network, embedding, averaging, images  # noqa: F401
from ddpm_spec.laws import ddim, learned_range, velocity  # noqa: F401

# isort: on
from ddpm_spec.laws.law import LAWS, VERSION, Case, Law
from ddpm_spec.laws.protocol import Array, Implementation, Network, Stated
from ddpm_spec.laws.runner import Result, check

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ddpm_spec.laws.adapters import scheduler_adapter, trainer_adapter
    from ddpm_spec.laws.reporting import report

__all__ = [
    "LAWS",
    "VERSION",
    "Array",
    "Case",
    "Implementation",
    "Law",
    "Network",
    "Result",
    "Stated",
    "check",
    "report",
    "scheduler_adapter",
    "trainer_adapter",
]

_LATER = {
    "report": "reporting",  # needs rich
    "scheduler_adapter": "adapters",  # need PyTorch
    "trainer_adapter": "adapters",
}

if not TYPE_CHECKING:  # the laws do without

    def __getattr__(name):
        if name in _LATER:
            return getattr(import_module(f"ddpm_spec.laws.{_LATER[name]}"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
