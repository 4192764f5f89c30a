"""MONAI: its schedulers for generative models."""

from typing import Any

from ddpm_spec.conform.targets import Package

__all__ = ["TARGETS"]

REQUIREMENTS = ("monai==1.6.1", "torch==2.14.1")


def _scheduler(name: str, step: dict[str, Any] | None = None, **options: Any) -> object:
    from monai.networks import schedulers

    from ddpm_spec.laws.adapters import scheduler_adapter

    adapter = scheduler_adapter(getattr(schedulers, name)(**options), step=step)
    if name != "DDPMScheduler" and step is None:
        adapter.lacks("p_sample")  # a deterministic step is not Algorithm 2
    if name == "PNDMScheduler":
        adapter.lacks("predict_x_0")
    return adapter


def _package(name: str, notes: dict[str, str] | None = None, also: bool = False, **options: Any) -> Package:
    words = "".join(f" {key}={value}" for key, value in options.items())
    return Package(
        f"monai/{name}{words}", REQUIREMENTS, lambda: _scheduler(name, **options), notes or {}, also
    )


TARGETS = (
    _package("DDPMScheduler"),
    _package("DDPMScheduler", also=True, variance_type="fixed_large"),
    _package("DDPMScheduler", also=True, prediction_type="v_prediction"),
    _package("DDPMScheduler", also=True, prediction_type="sample"),
    _package("DDPMScheduler", also=True, schedule="cosine"),
    _package("DDPMScheduler", also=True, clip_sample=False),
    _package("DDIMScheduler"),
    _package("DDIMScheduler", also=True, step={"eta": 1.0}),
    _package("PNDMScheduler"),
    _package("PNDMScheduler", also=True, skip_prk_steps=True),
)
