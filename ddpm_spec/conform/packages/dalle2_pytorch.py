"""dalle2-pytorch: the diffusion prior, which is a DDPM on embeddings."""

from typing import Any

from ddpm_spec.conform.targets import Package

__all__ = ["TARGETS"]

REQUIREMENTS = ("dalle2-pytorch==1.15.6", "torch==2.14.1")


def _prior(**options: Any) -> object:
    from dalle2_pytorch import DiffusionPrior
    from torch import full

    from ddpm_spec.laws.adapters.parts import Held, Loop, parts_adapter

    def made(network: Any) -> Any:
        def answer(x: Any, t: Any, **_: Any) -> Any:
            return network(x, t)

        held = Held(answer, dim=12, self_cond=False, forward_with_cond_scale=answer)
        return DiffusionPrior(held, image_embed_dim=12, image_embed_scale=1.0, **options)

    def sampler(steps: int) -> Any:
        return Loop(lambda network, count: made(network).p_sample_loop((count, 12), {}, timesteps=steps))

    prior = made(None)
    scheduler = prior.noise_scheduler
    return parts_adapter(
        betas=scheduler.betas,
        alpha_bars=scheduler.alphas_cumprod,
        prediction="x_0" if prior.predict_x_start else "eps",
        clips=not prior.predict_x_start,
        shape=(12,),
        q_sample=scheduler.q_sample,
        posterior=lambda x_0, x_t, t: scheduler.q_posterior(x_0, x_t, full((len(x_t),), t))[:2],
        p_sample=lambda network, x_t, t: made(network).p_sample(x_t, full((len(x_t),), t), {})[0],
        sample=lambda network, count: made(network).p_sample_loop((count, 12), {}),
        loss=lambda network, x_0, t, eps: made(network).p_losses(x_0, t, {}, eps),
        sampler=sampler,
        draws=("p_sample",),
    )


TARGETS = (
    Package("dalle2-pytorch/DiffusionPrior", REQUIREMENTS, _prior),
    Package(
        "dalle2-pytorch/DiffusionPrior predict_x_start=False",
        REQUIREMENTS,
        lambda: _prior(predict_x_start=False, beta_schedule="linear"),
    ),
)
