"""audio-diffusion-pytorch: its v-diffusion on a cosine, in 1000 steps."""

from typing import Any

from ddpm_spec.conform.targets import Package

__all__ = ["TARGETS"]

REQUIREMENTS = ("audio-diffusion-pytorch==0.1.3", "torch==2.14.1")
T = 1000


def _adapter() -> object:
    import torch
    from audio_diffusion_pytorch import diffusion as theirs

    from ddpm_spec.laws.adapters.parts import Held, Loop, parts_adapter

    # Their time 1 is pure noise, whose β is 1; the chain of the laws begins at the time before.
    bars = torch.cos(torch.arange(1, T + 1, dtype=torch.float64) / (T + 1) * torch.pi / 2) ** 2

    class Times(theirs.Schedule):
        """Whole times, as evenly spaced as they can be, from T to 0."""

        def forward(self, num_steps: int, device: Any) -> Any:
            return torch.linspace(T, 0, num_steps).round() / (T + 1)

    def run(network: Any, count: int, steps: int) -> Any:
        held = Held(lambda x, sigma: network(x, int((sigma[0] * (T + 1)).round())))
        return theirs.VSampler(held, Times())(torch.randn(count, 3, 4), steps)

    class At(theirs.Distribution):
        def __init__(self, t: Any) -> None:
            self.t = t

        def __call__(self, num_samples: int, device: Any = None) -> Any:
            return self.t / (T + 1)

    def loss(network: Any, x_0: Any, t: Any) -> Any:
        held = Held(lambda x, sigma: network(x, (sigma * (T + 1)).round()))
        return theirs.VDiffusion(held, At(t))(x_0)

    return parts_adapter(
        betas=torch.cat([1 - bars[:1], 1 - bars[1:] / bars[:-1]]),
        first_time=1,
        prediction="v",
        shape=(3, 4),
        loss=loss,
        sampler=lambda steps: Loop(lambda network, count: run(network, count, steps)),
        draws=("loss",),
    )


TARGETS = (Package("audio-diffusion-pytorch/VDiffusion", REQUIREMENTS, _adapter),)
