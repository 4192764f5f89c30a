"""The catalogue of mistakes: what the laws are there to find, and what a broken law is traced back to."""

from ddpm_spec.laws.mistakes import common, paper, rest, sampler  # noqa: F401 # fill the catalogue
from ddpm_spec.laws.mistakes.catalogue import CATALOGUE, Mistake

__all__ = ["CATALOGUE", "Mistake"]
