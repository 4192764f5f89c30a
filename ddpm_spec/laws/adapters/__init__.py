"""Adapters for the shapes that most packages have."""

from ddpm_spec.laws.adapters.scheduler import SchedulerAdapter, scheduler_adapter
from ddpm_spec.laws.adapters.trainer import TrainerAdapter, trainer_adapter

__all__ = ["SchedulerAdapter", "TrainerAdapter", "scheduler_adapter", "trainer_adapter"]
