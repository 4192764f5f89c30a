"""k-diffusion: its wrapper of networks that predict the noise, and samplers, in which x_t is x_0 + σ ε."""

from typing import Any

from ddpm_spec.conform.targets import Package

__all__ = ["TARGETS"]

REQUIREMENTS = ("k-diffusion==0.1.1.post1", "torch==2.14.1", "setuptools==80.9.0")
T = 1000


def _adapter(name: str, whole: bool) -> object:
    import torch
    from k_diffusion import external, sampling

    from ddpm_spec.laws.adapters.parts import Loop, Steps, parts_adapter

    betas = torch.linspace(1e-4, 0.02, T, dtype=torch.float64)
    bars = torch.cumprod(1 - betas, 0)
    method = getattr(sampling, f"sample_{name}")

    def denoiser(network: Any) -> Any:
        return external.DiscreteEpsDDPMDenoiser(network, bars.float(), quantize=True)

    sigmas = denoiser(None).sigmas
    size = (1 + sigmas**2).sqrt()

    def grid(steps: int) -> Any:
        # Theirs lie between whole times; any list of σ may be given.
        return torch.linspace(T - 1, 0, steps).round().long()

    def step(network: Any, x_t: Any, t: int, s: int | None) -> Any:
        pair = torch.stack([sigmas[t], torch.zeros(()) if s is None else sigmas[s]])
        x = method(denoiser(network), x_t * size[t], pair, disable=True)
        return x if s is None else x / size[s]

    def sampler(steps: int) -> Any:
        levels = sampling.append_zero(sigmas[grid(steps)])

        def run(network: Any, count: int) -> Any:
            def model(x: Any, sigma: Any) -> Any:
                t = int(denoiser(None).sigma_to_t(sigma)[0])
                answer = network(x, t, size[t])
                return denoiser(lambda *_: answer)(x, sigma)

            return method(model, torch.randn(count, 3, 2, 2) * levels[0], levels, disable=True)

        return Loop(run) if whole else Steps(grid(steps), step)

    def loss(network: Any, x_0: Any, t: Any, eps: Any) -> Any:
        return denoiser(network).loss(x_0, eps, sigmas[t]).mean()

    return parts_adapter(
        betas=betas, loss=loss, sampler=sampler, schedule="paper", draws=() if whole else ("sampler",)
    )


def _package(name: str, whole: bool = False, also: bool = False) -> Package:
    return Package(f"k-diffusion/{name}", REQUIREMENTS, lambda: _adapter(name, whole), {}, also)


TARGETS = (
    _package("euler", also=True),
    _package("euler_ancestral"),
    _package("heun"),
    _package("dpm_2", also=True),
    _package("lms", whole=True, also=True),
    _package("dpmpp_2m", whole=True),
)
