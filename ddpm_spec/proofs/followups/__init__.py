"""The derivations of what came after the paper, by the same engine; they are counted apart."""

from importlib import import_module

from ddpm_spec.literature import MODULES
from ddpm_spec.proofs.engine import Derivation

__all__ = ["DERIVATIONS"]

DERIVATIONS: tuple[Derivation, ...] = tuple(
    derivation for name in MODULES for derivation in import_module(f"{__name__}.{name}").DERIVATIONS
)
"""Every derivation, in the order of the gaps."""
