"""smalldiffusion: its DDPM schedule, loss and samplers, in which x_t is x_0 + σ ε."""

from typing import Any

from ddpm_spec.conform.targets import Package

__all__ = ["TARGETS"]

REQUIREMENTS = ("smalldiffusion==0.5.0", "torch==2.14.1")


def _adapter(gam: float, mu: float) -> object:
    from types import SimpleNamespace

    import smalldiffusion as theirs

    from ddpm_spec.laws.adapters.parts import Loop, parts_adapter

    schedule = theirs.ScheduleDDPM()
    bars = 1 / (1 + schedule.sigmas.double() ** 2)

    class Model(theirs.ModelMixin):
        """Their mixin asks a model for the noise in x at σ; the network of the laws wants x√ᾱ_t and t."""

        input_dims = (3, 2, 2)

        def __init__(self, answer: Any) -> None:
            self.answer = answer

        def __call__(self, x: Any, sigma: Any, cond: Any = None) -> Any:
            t = (schedule.sigmas[None] - sigma.reshape(-1, 1)).abs().argmin(1)
            return self.answer(x, t.expand(len(x)))

        def eval(self) -> None:
            pass

    def size(t: Any) -> Any:
        return (1 + schedule.sigmas[t] ** 2).sqrt()

    def sampler(steps: int) -> Any:
        def run(network: Any, count: int) -> Any:
            model = Model(lambda x, t: network(x, int(t[0]), size(int(t[0]))))
            made = theirs.samples(
                model,
                schedule.sample_sigmas(steps),
                gam=gam,
                mu=mu,
                batchsize=count,
                accelerator=SimpleNamespace(device="cpu"),
            )
            return list(made)[-1]

        return Loop(run)

    def loss(network: Any, x_0: Any, t: Any, eps: Any) -> Any:
        sigma = schedule.sigmas[t].reshape(-1, 1, 1, 1)
        model = Model(lambda x, t: network(x / size(t).reshape(-1, 1, 1, 1), t))
        return model.get_loss(x_0, sigma, eps)

    return parts_adapter(betas=_betas(bars), alpha_bars=bars, loss=loss, sampler=sampler, schedule="paper")


def _betas(bars: Any) -> Any:
    from torch import cat

    return cat([1 - bars[:1], 1 - bars[1:] / bars[:-1]])


_END = {"few-step/end": "its chain ends at the smallest σ of the schedule, 0.01; its documentation says so"}

TARGETS = (
    Package("smalldiffusion/DDPM", REQUIREMENTS, lambda: _adapter(1.0, 0.5), _END),
    Package("smalldiffusion/DDIM", REQUIREMENTS, lambda: _adapter(1.0, 0.0), _END),
    Package("smalldiffusion/accelerated", REQUIREMENTS, lambda: _adapter(2.0, 0.0), _END),
)
