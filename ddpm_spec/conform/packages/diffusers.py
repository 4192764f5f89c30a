"""diffusers: the schedulers that can be built from a DDPM's configuration."""

from ddpm_spec.conform.targets import Package

__all__ = ["TARGETS"]

REQUIREMENT = "diffusers==0.42.1"


def _scheduler(name: str, **options: object) -> object:
    import diffusers

    from ddpm_spec.laws.adapters import scheduler_adapter

    stored = diffusers.DDPMScheduler(clip_sample=False).config
    return scheduler_adapter(getattr(diffusers, name).from_config(stored, **options), schedule="paper")


def _package(name: str, **options: object) -> Package:
    words = "".join(f" {key}={value}" for key, value in options.items())
    return Package(
        f"diffusers/{name}{words}", REQUIREMENT, lambda: _scheduler(name, **options), also=bool(options)
    )


TARGETS = (
    _package("DDPMScheduler"),
    _package("DDPMScheduler", variance_type="fixed_large"),
    _package("DDIMScheduler"),
)
