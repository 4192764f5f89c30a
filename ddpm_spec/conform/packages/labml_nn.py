"""labml-nn: its annotated DDPM, and the samplers of its Stable Diffusion."""

from typing import Any

from ddpm_spec.conform.targets import Package

__all__ = ["TARGETS"]

REQUIREMENTS = ("labml-nn==0.5.1", "torch==2.14.1", "transformers==5.24.0")


def _ddpm() -> object:
    from labml_nn.diffusion.ddpm import DenoiseDiffusion
    from torch import full

    from ddpm_spec.laws.adapters.parts import parts_adapter, trained_times

    def made(network: Any) -> Any:
        return DenoiseDiffusion(network, 1000, "cpu")

    return parts_adapter(
        betas=made(None).beta,
        alpha_bars=made(None).alpha_bar,
        q_sample=lambda x_0, t, eps: made(None).q_sample(x_0, t, eps),
        p_sample=lambda network, x_t, t: made(network).p_sample(x_t, full((len(x_t),), t)),
        draw_times=lambda count: trained_times(lambda network, x: made(network).loss(x), count),
        schedule="paper",
        draws=("p_sample",),
    )


def _latent(network: Any) -> Any:
    from labml_nn.diffusion.stable_diffusion.latent_diffusion import LatentDiffusion

    from ddpm_spec.laws.adapters.parts import Held

    held = Held(lambda x, t, _: network(x, t))
    return LatentDiffusion(held, held, held, 0.18215, 1000, 0.00085, 0.0120)


def _stable_ddpm() -> object:
    from labml_nn.diffusion.stable_diffusion.sampler.ddpm import DDPMSampler
    from torch import full

    from ddpm_spec.laws.adapters.parts import parts_adapter

    def step(network: Any, x_t: Any, t: int) -> Any:
        return DDPMSampler(_latent(network)).p_sample(x_t, None, full((len(x_t),), t), t)[0]

    sampler = DDPMSampler(_latent(None))
    return parts_adapter(
        betas=sampler.model.beta,
        alpha_bars=sampler.model.alpha_bar,
        p_sample=step,
        sample=lambda network, count: DDPMSampler(_latent(network)).sample([count, 3, 2, 2], None),
        draws=("p_sample",),
    )


def _stable_ddim(**options: Any) -> object:
    from labml_nn.diffusion.stable_diffusion.sampler.ddim import DDIMSampler
    from torch import full

    from ddpm_spec.laws.adapters.parts import Steps, parts_adapter

    def sampler(steps: int) -> Any:
        times = DDIMSampler(_latent(None), steps, **options).time_steps.tolist()

        def step(network: Any, x_t: Any, t: int, _: Any) -> Any:
            made, index = DDIMSampler(_latent(network), steps, **options), times.index(t)
            return made.p_sample(x_t, None, full((len(x_t),), t), t, index)[0]

        return Steps(times[::-1], step)

    model = _latent(None)
    return parts_adapter(betas=model.beta, alpha_bars=model.alpha_bar, sampler=sampler, draws=("sampler",))


TARGETS = (
    Package("labml-nn/DenoiseDiffusion", REQUIREMENTS, _ddpm),
    Package("labml-nn/stable_diffusion DDPMSampler", REQUIREMENTS, _stable_ddpm),
    Package("labml-nn/stable_diffusion DDIMSampler", REQUIREMENTS, _stable_ddim),
    Package(
        "labml-nn/stable_diffusion DDIMSampler ddim_eta=1",
        REQUIREMENTS,
        lambda: _stable_ddim(ddim_eta=1.0),
        {},
        True,
    ),
)
