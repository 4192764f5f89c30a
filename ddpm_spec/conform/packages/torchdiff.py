"""torchdiff: its DDPM and its DDIM."""

from typing import Any

from ddpm_spec.conform.targets import Package

__all__ = ["TARGETS"]

REQUIREMENTS = ("torchdiff==2.7.0", "torch==2.14.1")


def _ddpm(**options: Any) -> object:
    from torch import full
    from torchdiff.ddpm import ForwardDDPM, ReverseDDPM, SchedulerDDPM

    from ddpm_spec.laws.adapters.parts import parts_adapter

    scheduler = SchedulerDDPM()
    forward, reverse = ForwardDDPM(scheduler), ReverseDDPM(scheduler, **options)

    def step(network: Any, x_t: Any, t: int) -> Any:
        times = full((len(x_t),), t)
        return reverse(x_t, network(x_t, times), times)[0]

    return parts_adapter(
        betas=scheduler.betas,
        alpha_bars=scheduler.alphas_cumprod,
        q_sample=lambda x_0, t, eps: forward(x_0, t, eps)[0],
        loss=lambda network, x_0, t, eps: _loss(forward, network, x_0, t, eps),
        predict_x_0=lambda x_t, t, eps: reverse.predict_x0(x_t, full((len(x_t),), t), eps),
        variance=lambda t: reverse.get_variance(full((1,), t)),
        p_sample=step,
        schedule="paper",
        clips=reverse.clip_out,
        draws=("p_sample",),
    )


def _loss(forward: Any, network: Any, x_0: Any, t: Any, eps: Any) -> Any:
    """As `TrainDDPM` makes it with a squared error."""
    x_t, target = forward(x_0, t, eps)
    return ((network(x_t, t) - target) ** 2).mean()


def _ddim(**options: Any) -> object:
    from torch import full
    from torchdiff.ddim import ReverseDDIM, SchedulerDDIM

    from ddpm_spec.laws.adapters.parts import Steps, parts_adapter

    scheduler = SchedulerDDIM()

    def sampler(steps: int) -> Any:
        made = SchedulerDDIM(sample_steps=steps)
        reverse, times = ReverseDDIM(made, **options), made.inference_timesteps.flip(0)

        def step(network: Any, x_t: Any, t: int, s: int | None) -> Any:
            # The loop of `SampleDDIM` ends with the step to its last time.
            now, then = (full((len(x_t),), int(time)) for time in (t, times[-1] if s is None else s))
            return reverse(x_t, now, then, network(x_t, now))[0]

        return Steps(times[:-1], step)

    return parts_adapter(
        betas=scheduler.betas,
        alpha_bars=scheduler.alphas_cumprod,
        sampler=sampler,
        schedule="paper",
        clips=True,
        draws=("sampler",),
    )


TARGETS = (
    Package("torchdiff/DDPM", REQUIREMENTS, _ddpm),
    Package(
        "torchdiff/DDPM var_type=fixed_large", REQUIREMENTS, lambda: _ddpm(var_type="fixed_large"), {}, True
    ),
    Package("torchdiff/DDIM", REQUIREMENTS, _ddim),
    Package("torchdiff/DDIM eta=1", REQUIREMENTS, lambda: _ddim(eta=1.0), {}, True),
)
