"""denoising-diffusion-pytorch: each class and each option that changes the loss or the loop."""

from typing import Any

from ddpm_spec.conform.targets import Package

__all__ = ["TARGETS"]

REQUIREMENTS = ("denoising-diffusion-pytorch==2.3.4", "torch==2.14.1")


def _gaussian(**options: Any) -> object:
    import denoising_diffusion_pytorch as theirs

    from ddpm_spec.laws.adapters import trainer_adapter
    from ddpm_spec.laws.adapters.parts import Held, Loop

    def made(network: Any, steps: int | None = None) -> Any:
        held = Held(lambda x, t, *_: network(x, t), channels=3, out_dim=3, self_condition=False)
        return theirs.GaussianDiffusion(held, image_size=2, sampling_timesteps=steps, **options)

    def sampler(steps: int) -> object:
        return Loop(lambda network, count: 2 * made(network, steps).sample(count) - 1)

    return trainer_adapter(made(None), clips=True, sampler=sampler)


def _sequence(**options: Any) -> object:
    import denoising_diffusion_pytorch as theirs

    from ddpm_spec.laws.adapters import trainer_adapter
    from ddpm_spec.laws.adapters.parts import Held, Loop

    def made(network: Any, steps: int | None = None) -> Any:
        held = Held(lambda x, t, *_: network(x, t), channels=3, self_condition=False)
        return theirs.GaussianDiffusion1D(held, seq_length=4, sampling_timesteps=steps, **options)

    def sampler(steps: int) -> object:
        return Loop(lambda network, count: 2 * made(network, steps).sample(count) - 1)

    return trainer_adapter(made(None), clips=True, shape=(3, 4), sampler=sampler)


_WEIGHT = {"objective/squared-error": "an error in v or x_0 is weighted so that it counts as in Eq. 14"}
_MIN_SNR = {"objective/squared-error": "min_snr_loss_weight is asked for, which its code refers to its paper"}
_IMMISCIBLE = dict.fromkeys(
    ("forward/variance", "forward/own-time"),
    "immiscible=True gives each image the noise of its batch that lies nearest to it",
)


def _package(
    name: str, make: Any = _gaussian, also: bool = False, notes: Any = None, **options: Any
) -> Package:
    words = "".join(f" {key}={value}" for key, value in options.items())
    return Package(
        f"denoising-diffusion-pytorch/{name}{words}", REQUIREMENTS, lambda: make(**options), notes or {}, also
    )


TARGETS = (
    _package("GaussianDiffusion", notes=_WEIGHT),
    _package("GaussianDiffusion", objective="pred_noise", beta_schedule="linear"),
    _package("GaussianDiffusion", also=True, objective="pred_noise"),
    _package("GaussianDiffusion", also=True, notes=_WEIGHT, objective="pred_x0"),
    _package("GaussianDiffusion", also=True, notes=_WEIGHT, beta_schedule="cosine"),
    _package(
        "GaussianDiffusion", also=True, notes=_MIN_SNR, objective="pred_noise", min_snr_loss_weight=True
    ),
    _package("GaussianDiffusion", also=True, notes=_MIN_SNR, min_snr_loss_weight=True),
    _package("GaussianDiffusion", also=True, objective="pred_noise", ddim_sampling_eta=1.0),
    _package("GaussianDiffusion", also=True, objective="pred_noise", offset_noise_strength=0.1),
    _package("GaussianDiffusion", also=True, notes=_IMMISCIBLE, objective="pred_noise", immiscible=True),
    _package("GaussianDiffusion1D", _sequence),
)
