"""score-models: its variance-preserving SDE, solved by Euler and Maruyama in 1000 steps."""

from typing import Any

from ddpm_spec.conform.targets import Package

__all__ = ["TARGETS"]

REQUIREMENTS = ("score-models==0.5.11", "torch==2.14.1")
T = 1000


def _adapter() -> object:
    import torch
    from score_models import ScoreModel

    from ddpm_spec.laws.adapters.parts import Held, parts_adapter

    def made(network: Any) -> Any:
        def answer(t: Any, x: Any) -> Any:
            times = ((t.double() - epsilon) / (1 - epsilon) * T).round().long()
            return -network(x, times)

        return ScoreModel(Held(answer, hyperparameters={}), "vp", beta_min=0.1, beta_max=20.0, device="cpu")

    epsilon = 1e-5
    sde = made(None).sde
    # Its loop draws x from N(0, I) and asks for the first time one step below time 1.
    times = epsilon + (1 - epsilon) * torch.arange(T, dtype=torch.float64) / T
    bars = sde.marginal_prob_scalars(times)[0] ** 2

    def q_sample(x_0: Any, t: Any, eps: Any) -> Any:
        mean, deviation = sde.marginal_prob(times[t].float(), x_0)
        return mean + deviation * eps

    return parts_adapter(
        betas=torch.cat([1 - bars[:1], 1 - bars[1:] / bars[:-1]]),
        q_sample=q_sample,
        sample=lambda network, count: made(network).sample((count, 3, 2, 2), T),
    )


TARGETS = (Package("score-models/VPSDE", REQUIREMENTS, _adapter),)
