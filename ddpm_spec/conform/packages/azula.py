"""azula: its samplers, on its variance-preserving schedule in 1000 steps, and its loss."""

from typing import Any

from ddpm_spec.conform.targets import Package

__all__ = ["TARGETS"]

REQUIREMENTS = ("azula==0.11.1", "torch==2.14.1")
T = 1000


class _Times:
    """The schedule at the times 0, 1/T, …, 1; x_t divided by √(α² + σ²) has variance 1."""

    def __init__(self) -> None:
        import torch
        from azula.noise import VPSchedule

        self.schedule = VPSchedule()
        self.t = torch.arange(T + 1) / T
        alpha, sigma = self.schedule(torch.arange(T + 1, dtype=torch.float64) / T)
        self.size = (alpha**2 + sigma**2).sqrt()
        self.log = (sigma / alpha).log()
        bars = (alpha / self.size) ** 2
        self.betas = torch.cat([1 - bars[1:2], 1 - bars[2:] / bars[1:-1]])
        self.betas_from_zero = torch.cat([1 - bars[:1], 1 - bars[1:] / bars[:-1]])

    def denoiser(self, network: Any) -> Any:
        """Their preconditioned denoiser; what its network predicts is −v."""
        from azula.denoise import KarrasDenoiser

        from ddpm_spec.laws.adapters.parts import Held

        def answer(x: Any, log: Any) -> Any:
            t = (self.log[None] - log.reshape(-1, 1)).abs().argmin(1)
            return -network(x, t.expand(len(x)))

        return KarrasDenoiser(Held(answer), self.schedule)

    def grid(self, steps: int) -> Any:
        """Whole times, as evenly spaced as they can be, from T to 0."""
        import torch

        return torch.linspace(T, 0, min(steps, T) + 1).round().long()


def _one_step(name: str, ancestral: bool = False, **options: Any) -> object:
    import azula.sample as theirs

    from ddpm_spec.laws.adapters.parts import Steps, parts_adapter

    times = _Times()
    # An ancestral step at time 1/T goes to the image. The other samplers may ask about time 0, so it counts.
    first, betas = (1, times.betas) if ancestral else (0, times.betas_from_zero)

    def step(network: Any, x_t: Any, t: int, s: int | None) -> Any:
        s = s or 0
        sampler = getattr(theirs, name)(times.denoiser(network), silent=True, **options)
        return sampler.step(x_t * times.size[t].float(), times.t[t], times.t[s]) / times.size[s].float()

    def loop(network: Any, count: int) -> Any:
        sampler = getattr(theirs, name)(times.denoiser(network), steps=T, silent=True, **options)
        return sampler(sampler.init((count, 3, 2, 2)))

    return parts_adapter(
        betas=betas,
        first_time=first,
        prediction="v",
        p_sample=(lambda network, x_t, t: step(network, x_t, t, t - 1)) if ancestral else None,
        sample=loop if ancestral else None,
        sampler=lambda steps: Steps(times.grid(steps)[:-1], step),
        loss=lambda network, x_0, t: times.denoiser(network).loss(x_0, times.t[t]),
        draws=("p_sample", "sampler", "loss"),
    )


def _many_steps(name: str) -> object:
    import azula.sample as theirs

    from ddpm_spec.laws.adapters.parts import Loop, parts_adapter

    times = _Times()

    def sampler(steps: int) -> Any:
        grid = times.grid(steps)
        spaced = type(name, (getattr(theirs, name),), {"timesteps": property(lambda self: times.t[grid])})

        def run(network: Any, count: int) -> Any:
            # The loop's own x_t, of their size, is what the network of the laws is shown and changes.
            held = times.denoiser(None)
            held.forward = lambda x, t: _posterior(times, network, x, t)
            made = spaced(held, silent=True)
            return made(made.init((count, 3, 2, 2)))

        return Loop(run)

    return parts_adapter(betas=times.betas, first_time=1, prediction="v", sampler=sampler)


def _posterior(times: _Times, network: Any, x: Any, t: Any) -> Any:
    from azula.denoise import DiracPosterior

    k = int((t * T).round())
    size, log = times.size[k].float(), times.log[k].float()
    answer = network(x, k, size)
    return DiracPosterior((x / size - (2 * log).exp().sqrt() * answer) / (1 + (2 * log).exp()).sqrt())


_END = "its chain ends at the noise σ_0 = 0.001 (sigma_min), which its documentation takes for the image"
_ITO = "it solves a stochastic equation in steps that its documentation derives with two approximations"


def _package(
    name: str, make: Any, notes: dict[str, str] | None = None, also: bool = False, **options: Any
) -> Package:
    return Package(f"azula/{name}", REQUIREMENTS, lambda: make(name, **options), notes or {}, also)


_KINDS = ("zAB", "vAB", "zEAB", "xEAB", "REAB")

TARGETS = (
    _package(
        "DDPMSampler",
        _one_step,
        dict.fromkeys(("reverse/posterior-at-x-0", "reverse/last-step"), _END),
        ancestral=True,
    ),
    _package("DDIMSampler", _one_step),
    _package("EulerSampler", _one_step, also=True),
    _package("HeunSampler", _one_step),
    _package("ItoSampler", _one_step, dict.fromkeys(("few-step/noise", "few-step/end"), _ITO)),
    *(_package(f"{kind}Sampler", _many_steps, also=kind in ("zAB", "vAB", "zEAB")) for kind in _KINDS),
)
