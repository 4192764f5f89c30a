"""deepinv: its solvers of the reverse process, on its variance-preserving schedule in 1000 steps."""

from typing import Any

from ddpm_spec.conform.targets import Package

__all__ = ["TARGETS"]

REQUIREMENT = "deepinv==0.5.0"
T = 1000


def _adapter(name: str, ancestral: bool = False, **options: Any) -> object:
    import torch
    from deepinv import sampling as theirs

    from ddpm_spec.laws.adapters.parts import Steps, parts_adapter

    times = torch.arange(T + 1, dtype=torch.float64) / T
    plain = theirs.VariancePreservingDiffusion(alpha=1.0)
    bars = plain.scale_t(times) ** 2

    def step(network: Any, x_t: Any, t: int, s: int | None) -> Any:
        def denoiser(x: Any, sigma: Any, *_: Any, **__: Any) -> Any:
            # It is given x_t/√ᾱ_t and wants x̂_0 back, in double precision on both sides.
            root = bars[t].sqrt()
            return ((root * x - (1 - bars[t]).sqrt() * network(root * x, torch.full((len(x),), t))) / root)

        sde = theirs.VariancePreservingDiffusion(Identity(denoiser), alpha=1.0, **options)
        solver = getattr(theirs, name)(timesteps=times.flip(0))
        return solver.step(sde, times[t], times[s or 0], x_t.double())[0]

    class Identity(torch.nn.Module):
        def __init__(self, answer: Any) -> None:
            super().__init__()
            self.answer = answer

        def forward(self, *given: Any, **more: Any) -> Any:
            return self.answer(*given, **more)

    def sampler(steps: int) -> Any:
        return Steps(torch.linspace(T, 0, steps + 1).round()[:-1], step)

    return parts_adapter(
        betas=torch.cat([1 - bars[1:2], 1 - bars[2:] / bars[1:-1]]),
        first_time=1,
        p_sample=(lambda network, x_t, t: step(network, x_t, t, t - 1)) if ancestral else None,
        sampler=sampler,
        draws=("p_sample", "sampler"),
    )


TARGETS = (
    Package("deepinv/DDPMSolver", REQUIREMENT, lambda: _adapter("DDPMSolver", ancestral=True)),
    Package("deepinv/DDIMSolver", REQUIREMENT, lambda: _adapter("DDIMSolver")),
    Package("deepinv/EulerSolver", REQUIREMENT, lambda: _adapter("EulerSolver")),
)
