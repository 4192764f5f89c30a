"""What any implementation of the paper must satisfy, whoever wrote it."""

from ddpm_spec.laws import forward, posterior, reverse, objective, bound, decoder  # noqa: F401, I001 # in the paper's order
from ddpm_spec.laws import sampler  # noqa: F401
from ddpm_spec.laws import state  # noqa: F401
from ddpm_spec.laws.adapters import scheduler_adapter, trainer_adapter
from ddpm_spec.laws.law import LAWS, VERSION, Case, Law
from ddpm_spec.laws.protocol import Array, Implementation, Network, Stated
from ddpm_spec.laws.report import report
from ddpm_spec.laws.runner import Result, check

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
