"""imagen-pytorch: its first stage, on its cosine schedule in continuous time, in 1000 steps."""

from typing import Any

from ddpm_spec.conform.targets import Package

__all__ = ["TARGETS"]

REQUIREMENTS = ("imagen-pytorch==2.1.0", "torch==2.14.1")
T = 1000


def _imagen() -> object:
    import torch
    from imagen_pytorch import Imagen, NullUnet, Unet

    from ddpm_spec.laws.adapters.parts import parts_adapter

    imagen = Imagen(
        Unet(dim=8, dim_mults=(1,), cond_on_text=False),
        image_sizes=2,
        condition_on_text=False,
        text_embed_dim=4,
    )
    scheduler = imagen.noise_schedulers[0]
    # Their log SNR at the times k/T; in its sampler the image is x at time 0.
    log = scheduler.log_snr(torch.arange(T + 1) / T).double()
    bars = log.sigmoid()

    def held(network: Any) -> Any:
        def answer(x: Any, condition: Any, **_: Any) -> Any:
            return network(x, (log[None] - condition.reshape(-1, 1)).abs().argmin(1))

        made = NullUnet()
        made.self_cond, made.forward, made.forward_with_cond_scale = False, answer, answer
        return made

    def step(network: Any, x_t: Any, t: int) -> Any:
        now, then = (torch.full((len(x_t),), time / T) for time in (t, t - 1))
        return imagen.p_sample(held(network), x_t, now, t_next=then, noise_scheduler=scheduler)[0]

    def posterior(x_0: Any, x_t: Any, t: int) -> Any:
        now, then = (torch.full((len(x_t),), time / T) for time in (t, t - 1))
        mean, variance, _ = scheduler.q_posterior(x_0, x_t, now, t_next=then)
        return mean, variance[0]

    return parts_adapter(
        betas=torch.cat([1 - bars[1:2], 1 - bars[2:] / bars[1:-1]]),
        first_time=1,
        clips=True,
        q_sample=lambda x_0, t, eps: scheduler.q_sample(x_0, t / T, eps)[0],
        posterior=posterior,
        predict_x_0=lambda x_t, t, eps: scheduler.predict_start_from_noise(
            x_t, torch.full((len(x_t),), t / T), eps
        ),
        p_sample=step,
        loss=lambda network, x_0, t, eps: imagen.p_losses(
            held(network), (x_0 + 1) / 2, t / T, noise_scheduler=scheduler, noise=eps
        ),
        sample=lambda network, count: (
            imagen.p_sample_loop(held(network), (count, 3, 2, 2), noise_scheduler=scheduler, use_tqdm=False)
            * 2
            - 1
        ),
        draws=("p_sample",),
    )


TARGETS = (Package("imagen-pytorch/Imagen", REQUIREMENTS, _imagen),)
