"""The packages that are known here, each with an adapter."""

from ddpm_spec.conform.targets import Package

__all__ = ["TARGETS"]

TARGETS: dict[str, Package] = {}
"""Every known package by the name of its target."""
