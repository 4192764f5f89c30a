"""deepinv: its solvers of the reverse process, on its variance-preserving schedule in 1000 steps."""

from typing import Any

from ddpm_spec.conform.targets import Package

__all__ = ["TARGETS"]

REQUIREMENTS = ("deepinv==0.5.0", "torch==2.14.1")
T = 1000


def _adapter(name: str, ancestral: bool = False, **options: Any) -> object:
    import torch
    from deepinv import sampling as theirs

    from ddpm_spec.laws.adapters.parts import Held, Steps, parts_adapter

    times = torch.arange(T + 1, dtype=torch.float64) / T
    plain = theirs.VariancePreservingDiffusion(alpha=1.0)
    bars = plain.scale_t(times) ** 2

    def step(network: Any, x_t: Any, t: int, s: int | None) -> Any:
        def denoiser(x: Any, sigma: Any, *_: Any, **__: Any) -> Any:
            # It is given x_t/√ᾱ_t and wants x̂_0 back.
            scale, sigma = sde.scale_t(times[t]), sde.sigma_t(times[t])
            return x - sigma * network(scale * x, torch.full((len(x),), t))

        # Where the denoiser is trained on [0, 1], which is the default, their wrapper brings it to [−1, 1].
        sde = theirs.VariancePreservingDiffusion(
            Held(denoiser), alpha=1.0, minus_one_one=False, dtype=torch.float32
        )
        solver = getattr(theirs, name)(timesteps=times.flip(0), **options)
        return solver.step(sde, times[t], times[s or 0], x_t)[0]

    def sampler(steps: int) -> Any:
        return Steps(torch.linspace(T, 0, steps + 1).round()[:-1], step)

    return parts_adapter(
        betas=torch.cat([1 - bars[1:2], 1 - bars[2:] / bars[1:-1]]),
        first_time=1,
        p_sample=(lambda network, x_t, t: step(network, x_t, t, t - 1)) if ancestral else None,
        sampler=sampler,
        draws=("p_sample", "sampler"),
    )


_EULER = dict.fromkeys(
    ("few-step/next", "few-step/noise", "few-step/end"),
    "it is the Euler-Maruyama method; its documentation prefers the ancestral solver in few steps",
)

TARGETS = (
    Package("deepinv/DDPMSolver", REQUIREMENTS, lambda: _adapter("DDPMSolver", ancestral=True)),
    Package(
        "deepinv/DDPMSolver variance=large",
        REQUIREMENTS,
        lambda: _adapter("DDPMSolver", ancestral=True, variance="large"),
        {},
        True,
    ),
    Package("deepinv/DDIMSolver", REQUIREMENTS, lambda: _adapter("DDIMSolver")),
    Package("deepinv/EulerSolver", REQUIREMENTS, lambda: _adapter("EulerSolver"), _EULER),
)
