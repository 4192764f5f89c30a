"""Packages are plugged in by their shape; what is missing is not judged, and nothing of theirs is touched."""

import inspect
import math
import random

import numpy as np
import pytest
import torch
from laws import examples
from laws.packages import GaussianDiffusion, Improved, Scheduler
from torch import nn

from ddpm_spec.laws import check, scheduler_adapter, trainer_adapter
from ddpm_spec.laws.plain import Plain
from ddpm_spec.laws.replay import at_noise, seeded

BETAS = np.linspace(1e-4, 0.02, 12)


def outcomes(adapter) -> dict[str, str]:
    return {result.law.id: result.outcome for result in check(adapter)}


def both(adapter) -> tuple[set[str], set[str]]:
    """The laws that are broken, and those that are judged."""
    found = outcomes(adapter)
    broken = {name for name, outcome in found.items() if outcome in ("failed", "error")}
    return broken, {name for name, outcome in found.items() if outcome != "not judged"}


def broken(adapter) -> set[str]:
    return both(adapter)[0]


def groups(judged: set[str]) -> set[str]:
    return {name.partition("/")[0] for name in judged}


# ------------------------------------------------------------------------------------------- examples

EXAMPLES = [
    example
    for name, example in vars(examples).items()
    if getattr(example, "__module__", "") == examples.__name__ and not name.startswith("_")
]


def test_examples_are_short():
    assert len(EXAMPLES) == 7
    for example in EXAMPLES:
        lines = inspect.getsource(example).splitlines()
        assert len([line for line in lines if line.strip()]) <= 10, example.__name__


DIFFUSERS = {
    examples.ddpm_scheduler: {"forward", "reverse", "chain", "few-step", "state"},
    examples.ddim_as_algorithm_2: {"forward", "reverse", "chain", "state"},
    examples.ddim_scheduler: {"forward", "reverse", "few-step", "state"},
}


ODD = {"few-step/next"}


@pytest.mark.parametrize("example", DIFFUSERS, ids=lambda example: example.__name__)
def test_schedulers_of_diffusers(example):
    pytest.importorskip("diffusers", reason="needs diffusers: pip install -e '.[interop]'")
    wrong, judged = both(example())
    # DDIM goes by T // steps, whatever comes next: where T/steps is no whole number, that is another.
    assert wrong == (ODD if example is examples.ddim_scheduler else set())
    assert groups(judged) == DIFFUSERS[example]


@pytest.mark.slow
def test_the_noise_that_diffusers_leaves_in_a_finished_image():
    """In 50 steps that end at t = 20 the last one adds noise of variance 1 − ᾱ_20, where σ² is β."""
    diffusers = pytest.importorskip("diffusers", reason="needs diffusers: pip install -e '.[interop]'")
    scheduler = diffusers.DDPMScheduler(
        clip_sample=False, timestep_spacing="trailing", variance_type="fixed_large"
    )
    adapter = scheduler_adapter(scheduler, q_sample=None, p_sample=None)
    found = {result.law.id: result for result in check(adapter) if result.law.group == "few-step"}
    assert found["few-step/end"].outcome == "failed"
    assert "50 steps" in found["few-step/end"].place
    left = math.sqrt(1 - float(scheduler.alphas_cumprod[19]))
    assert left == pytest.approx(0.076, abs=1e-3)
    assert found["few-step/end"].deviation == pytest.approx(left * 1.9, rel=0.1)
    # 61 steps are 62 times, of which the last is −1.
    assert found["few-step/times"].outcome == "failed"
    assert found["few-step/next"].outcome == "passed"


class Unlike(nn.Module):
    """A network that may be neither asked nor copied."""

    def forward(self, x, t):
        raise AssertionError("the network itself was asked")

    def __deepcopy__(self, memo):
        raise AssertionError("the network was copied")


def test_a_trainer_that_holds_its_network():
    diffusion = GaussianDiffusion(Unlike())
    adapter = examples.held_network(diffusion)
    wrong, judged = both(adapter)
    assert wrong == set()
    assert adapter.shape == (3, 2, 2)
    assert groups(judged) == {
        "forward", "posterior", "reverse", "objective", "training", "loop", "chain", "state",
    }  # fmt: skip
    # Who does not say that he clips is told so.
    assert (
        {"reverse/unclipped"}
        <= broken(trainer_adapter(diffusion))
        <= {"reverse/unclipped", "reverse/rotation"}
    )
    assert isinstance(diffusion.model, Unlike)


def test_a_trainer_whose_network_is_passed():
    diffusion = Improved(np.linspace(0.02, 0.35, 8))
    wrong, judged = both(examples.passed_network(diffusion))
    assert wrong == set()
    # If nothing is said of clipping, it does what it does by default.
    assert broken(trainer_adapter(diffusion)) == {"reverse/unclipped", "reverse/rotation"}
    assert groups(judged) == {"forward", "posterior", "reverse", "objective", "loop", "chain", "state"}


def test_a_trainer_that_is_wrong_is_found():
    class Late(GaussianDiffusion):
        def p_losses(self, x_start, t, noise=None):
            noise = torch.randn_like(x_start) if noise is None else noise
            return ((self.model(self.q_sample(x_start, t, noise), t - 1) - noise) ** 2).mean()

        def p_sample_loop(self, shape):
            self.normalize = self.unnormalize = lambda x: x
            x = torch.randn(shape)
            for t in reversed(range(1, len(self.betas))):
                x, _ = self.p_sample(x, t)
            return x

    found = broken(examples.held_network(Late(Unlike())))
    assert {"objective/known-noise", "training/times", "loop/times", "loop/end"} <= found
    assert not any(name.startswith(("forward", "posterior", "reverse", "chain", "state")) for name in found)


@pytest.mark.parametrize("returns", ["object", "tuple", "tensor"])
def test_schedulers_of_any_shape(returns):
    wrong, judged = both(scheduler_adapter(Scheduler(returns)))
    assert wrong == set()
    assert ("reverse/x-0" in judged) == (returns != "tensor")
    assert {"forward/mean", "reverse/mean", "few-step/end", "chain/moments"} <= judged


def test_a_scheduler_stays_as_it_was():
    scheduler = Scheduler()
    before = scheduler.timesteps, scheduler.betas.clone()
    check(scheduler_adapter(scheduler))
    assert scheduler.timesteps is before[0]
    assert torch.equal(scheduler.betas, before[1])


@pytest.mark.parametrize(
    ("prediction", "stated"), [("v_prediction", "v"), ("sample", "x_0"), ("epsilon", "eps")]
)
def test_prediction_and_clipping_are_read_off_the_configuration(prediction, stated):
    scheduler = Scheduler()
    scheduler.config = {"prediction_type": prediction, "clip_sample": True}
    adapter = scheduler_adapter(scheduler)
    assert (adapter.prediction, adapter.clips) == (stated, True)


def test_what_cannot_be_stated_is_refused():
    with pytest.raises(TypeError, match="'clip'"):
        scheduler_adapter(Scheduler(), clip=True)
    scheduler = Scheduler()
    scheduler.config = {"prediction_type": "flow_prediction"}
    with pytest.raises(ValueError, match="'flow_prediction'; known are epsilon"):
        scheduler_adapter(scheduler)


# ----------------------------------------------------------------------------------- one part alone


def only(part: str, **stated):
    """An adapter that has one part of the plain implementation, and what is stated."""
    plain = Plain(BETAS)
    return type("Only", (), {part: staticmethod(getattr(plain, part)), **stated})()


ALONE = {
    "q_sample": {"forward/mean", "forward/variance", "forward/own-time"},
    "loss": {"objective/known-noise", "objective/squared-error"},
    "sample": {"loop/start", "loop/times", "loop/end", "loop/steps"},
    "draw_times": {"training/times"},
}


@pytest.mark.parametrize("part", ALONE)
def test_one_part_alone_is_judged_by_the_paper_s_schedule_in_t_steps(part):
    wrong, judged = both(only(part, T=12))
    assert wrong == set()
    found = {name for name in judged if not name.startswith("state/")}
    assert ALONE[part] <= found
    assert groups(found) == groups(ALONE[part])
    # In another number of steps it is wrong.
    assert broken(only(part, T=11))


def test_a_step_alone():
    wrong, judged = both(examples.OnlyAStep(Plain(BETAS).p_sample))
    assert wrong == set()
    assert groups(judged) == {"reverse", "chain", "state"}
    assert "reverse/mean" in broken(examples.OnlyAStep(Plain(BETAS[::-1].copy()).p_sample))


def test_tables_alone():
    class Tables:
        betas, alpha_bars = BETAS, np.cumprod(1 - BETAS)

    wrong, judged = both(Tables())
    assert wrong == set()
    assert judged >= {"forward/betas", "forward/product"}
    assert groups(judged) <= {"forward", "schedule", "state"}


def test_a_sampler_alone():
    wrong, judged = both(only("sampler", T=12))
    assert wrong == set()
    expected = {f"few-step/{name}" for name in ("times", "next", "noise", "end", "moments")}
    assert {name for name in judged if not name.startswith("state/")} == expected


def test_without_tables_and_without_t_nothing_is_guessed():
    results = check(only("loss"))
    assert {result.outcome for result in results} == {"not judged"}
    (law,) = (result for result in results if result.law.id == "objective/known-noise")
    assert "tables" in law.why


def test_the_cosine_schedule_may_be_stated():
    f = np.cos((np.arange(13) / 12 + 0.008) / 1.008 * np.pi / 2) ** 2
    plain = Plain(np.minimum(1 - f[1:] / f[:-1], 0.999))
    adapter = type("Only", (), {"q_sample": staticmethod(plain.q_sample), "T": 12, "schedule": "cosine"})
    assert broken(adapter) == set()


# ---------------------------------------------------------------------------- noise that they draw


def step_of(diffusion):
    def step(network, x_t, t):
        return diffusion.p_sample(network, x_t, torch.full((len(x_t),), t), clip_denoised=False)["sample"]

    return step


def test_a_step_with_its_own_noise():
    diffusion = Improved(BETAS)
    adapter = examples.OwnNoise(step_of(diffusion))
    adapter.precision = "float32"
    wrong, judged = both(adapter)
    assert wrong == set()
    assert "reverse/noise" in judged
    diffusion.p_sample = None
    assert "reverse/noise" in broken(adapter)


def test_the_generators_are_put_back():
    def seed():
        torch.manual_seed(1)
        np.random.seed(1)  # noqa: NPY002
        random.seed(1)

    seed()
    expected = torch.randn(2), np.random.rand(2), random.random()  # noqa: NPY002
    seed()
    with seeded(5):
        inner = torch.randn(2)
    with seeded(5):
        assert torch.equal(torch.randn(2), inner)
    assert torch.equal(torch.randn(2), expected[0])
    assert np.array_equal(np.random.rand(2), expected[1])  # noqa: NPY002
    assert random.random() == expected[2]


def replayed(draw, z):
    def call(seed):
        with seeded(seed):
            return draw()

    return at_noise(call, z, (3,), "float64", 2.0**-53)


Z = np.linspace(-2, 2, 6).reshape(2, 3)
X = np.array([[0.3, -0.1, 0.7], [0.2, 0.9, -0.4]])


@pytest.mark.parametrize(
    ("draw", "factors"),
    [
        (lambda: X + 0.1 * torch.randn(2, 3, dtype=torch.float64).numpy(), 0.1),
        (lambda: X + 0.1 * torch.randn(2, 3).double().numpy(), 0.1),
        (lambda: X + 0.1 * np.random.standard_normal((2, 3)), 0.1),  # noqa: NPY002
        (lambda: X + X * np.random.standard_normal((2, 3)), X),  # noqa: NPY002
        (lambda: X, 0.0),
    ],
    ids=["torch", "float32", "numpy", "a factor for each number", "none"],
)
def test_noise_is_recovered(draw, factors):
    assert np.abs(replayed(draw, Z) - (X + factors * Z)).max() < 1e-14


@pytest.mark.parametrize(
    "draw",
    [
        lambda: X + 0.1 * np.random.default_rng().standard_normal((2, 3)),
        lambda: X + 0.1 * torch.rand(2, 3).double().numpy(),
        lambda: X + 0.1 * torch.randn(2, 3).double().numpy() ** 3,
        lambda: X + 0.1 * (torch.randn(1), torch.randn(2, 3))[1].double().numpy(),
    ],
    ids=["a generator of its own", "uniform", "not affine", "something was drawn before"],
)
def test_noise_that_is_not_explained_is_not_guessed(draw):
    with pytest.raises(ValueError, match="a replay of the global generators does not explain"):
        replayed(draw, Z)
