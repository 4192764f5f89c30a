"""The laws for what is around the equations and what came after: right ones pass, wrong ones do not."""

import functools
from itertools import combinations

import numpy as np
import pytest
import torch
from laws.right_parts import Halves
from torch import Tensor
from torch.nn import functional as F

from ddpm_spec.data.images import from_unit, to_unit
from ddpm_spec.diffusion import Diffusion, told
from ddpm_spec.evidence import Recorder
from ddpm_spec.followups import ddim, learned_variance, v_prediction
from ddpm_spec.laws import LAWS, Stated, check
from ddpm_spec.laws.mistakes import CATALOGUE
from ddpm_spec.laws.plain_network import Networks, Small
from ddpm_spec.laws.plain_parts import Average, Ddim, Embedding, Images, LearnedRange, Tables, Velocity
from ddpm_spec.schedule import Schedule, cosine_schedule, linear_schedule
from ddpm_spec.training import ema
from ddpm_spec.unet import UNet, time_embedding

GROUPS = ("schedule", "network", "embedding", "average", "images", "ddim", "learned-range", "velocity")
REST = {key: law for key, law in LAWS.items() if law.group in GROUPS}
MISTAKES = [what for what, entry in CATALOGUE.items() if entry.build.__module__.endswith("mistakes.rest")]

SCHEDULES = {
    "linear 4": linear_schedule(4, 0.02, 0.4),
    "linear 10": linear_schedule(10, 0.02, 0.4),
    "cosine 4": cosine_schedule(4),
    "cosine 10": cosine_schedule(10),
    "cosine 1000": cosine_schedule(),
    "paper": linear_schedule(),
}


def betas(name: str) -> np.ndarray:
    return SCHEDULES[name].steps.beta.numpy()[1:]


# ------------------------------------------------------------------------------------------ the right ones


class Ours(Stated):
    """The package's own steps."""

    arrays, shape = "torch", (1, 2, 2)

    def __init__(self, schedule: Schedule, precision: str = "float64") -> None:
        self.schedule, self.precision = schedule, precision
        self.betas, self.alpha_bars = schedule.steps.beta[1:], schedule.steps.alpha_bar[1:]
        self.range = Diffusion(schedule, "learned_range")

    @functools.cache  # noqa: B019 # an adapter lives as long as its test
    def chain(self, t: int, s: int) -> tuple[Diffusion, tuple[int, ...]]:
        times = tuple(sorted({s, t, self.schedule.T} - {0}))
        return Diffusion(self.schedule).visiting(times), times

    def ddim_step(self, network, x_t: Tensor, t: int, s: int, z: Tensor, eta: float) -> Tensor:
        chain, times = self.chain(t, s)
        return chain.ddim_step(told(network, times), x_t, times.index(t) + 1, z, eta)

    def learned_variance(self, answer: Tensor, t: int) -> Tensor:
        both = torch.cat([0 * answer, answer], dim=1)
        return self.range.reverse_law(lambda x, t: both, answer, torch.full((len(answer),), t))[1]

    def at(self, t: Tensor, x: Tensor):
        return self.schedule.at(t, like=x)

    def velocity(self, x_0: Tensor, eps: Tensor, t: Tensor) -> Tensor:
        return v_prediction.velocity(x_0, eps, self.at(t, x_0))

    def x_0_from_velocity(self, x_t: Tensor, v: Tensor, t: Tensor) -> Tensor:
        return v_prediction.x_0_from_v(x_t, v, self.at(t, x_t))

    def eps_from_velocity(self, x_t: Tensor, v: Tensor, t: Tensor) -> Tensor:
        return v_prediction.eps_from_v(x_t, v, self.at(t, x_t))


class OurSurroundings(Stated):
    """The package's own network, average and grey levels."""

    arrays, shape, precision, levels = "torch", (3, 8, 8), "float32", 17
    parameters = 177_427

    def make_network(self) -> UNet:
        return UNet(image_size=8, channels=16, multipliers=(1, 2), blocks=1, attention=(4,), groups=8)

    def time_embedding(self, t: Tensor, dim: int) -> Tensor:
        return time_embedding(t, dim)

    def average(self, decay: float, values: list[float]) -> list[Tensor]:
        network = torch.nn.Linear(1, 1, bias=False)
        torch.nn.init.constant_(network.weight, values[0])
        shadow = ema.shadow(network)
        averages = [shadow.weight.clone()]
        for value in values[1:]:
            torch.nn.init.constant_(network.weight, value)
            ema.update(tuple(shadow.parameters()), tuple(network.parameters()), decay)
            averages.append(shadow.weight.clone())
        return averages

    def to_model(self, pixels: Tensor) -> Tensor:
        return to_unit(pixels, self.levels)

    def to_pixels(self, x: Tensor) -> Tensor:
        return from_unit(x, self.levels)


SPEAKS_OF = {
    "ddim": (ddim.ddim_mean, ddim.ddim_variance),
    "learned-range": (learned_variance.interpolated_variance,),
    "velocity/right-angle": (v_prediction.velocity,),
    "velocity/turn": (v_prediction.velocity,),
    "velocity/x-0": (v_prediction.x_0_from_v,),
    "velocity/eps": (v_prediction.eps_from_v,),
}


@pytest.mark.parametrize("key", [key for key, law in REST.items() if {key, law.group} & {*SPEAKS_OF}])
@pytest.mark.parametrize("schedule", ["linear 10", "cosine 10"])
def test_our_steps(recorder: Recorder, key: str, schedule: str) -> None:
    law = REST[key]
    with recorder.observe("property", law.name, *SPEAKS_OF.get(key, SPEAKS_OF.get(law.group, ()))):
        (result,) = check(Ours(SCHEDULES[schedule]), laws=(law,))
        assert result.outcome == "passed", result


def outcomes(adapter: object) -> dict[str, set[str]]:
    """The ids of the laws that passed, of those that failed, and so on."""
    found: dict[str, set[str]] = {}
    for result in check(adapter, REST.values()):
        found.setdefault(result.outcome, set()).add(result.law.id)
    return found


def test_our_surroundings() -> None:
    found = outcomes(OurSurroundings())
    assert set(found) == {"passed", "not judged"}
    assert found["passed"] == {
        key for key in REST if key.startswith(("network", "embedding", "average", "images"))
    }


@pytest.mark.parametrize("levels", [3, 256])
def test_our_grey_levels(levels: int) -> None:
    ours = OurSurroundings()
    ours.levels = levels
    results = check(ours, [law for law in REST.values() if law.group == "images"])
    assert {result.outcome for result in results} == {"passed"}


def test_the_network_of_the_paper_has_as_many_parameters_as_it_says() -> None:
    class Cifar(Stated):
        parameters = 35_746_307

        def make_network(self):
            with torch.device("meta"):
                return UNet()

    (result,) = check(Cifar(), [LAWS["network/parameters"]])
    assert (result.outcome, result.deviation) == ("passed", 0)


def right(name: str, schedule: str, precision: str) -> object:
    if name == "ours":
        return Ours(SCHEDULES[schedule], precision)
    if name == "halves":
        return Halves(torch.tensor(betas(schedule)), precision)
    return {"ddim": Ddim, "range": LearnedRange, "velocity": Velocity}[name](
        betas(schedule).astype(precision)
    )


@pytest.mark.parametrize("schedule", ["linear 4", "linear 10", "cosine 4", "cosine 10"])
@pytest.mark.parametrize(
    ("name", "precision"),
    [
        *(
            (name, precision)
            for name in ("ours", "halves")
            for precision in ("float64", "float32", "bfloat16")
        ),
        *(
            (name, precision)
            for name in ("ddim", "range", "velocity")
            for precision in ("float64", "float32")
        ),
    ],
)
def test_no_law_fails_on_a_right_one(name: str, schedule: str, precision: str) -> None:
    assert set(outcomes(right(name, schedule, precision))) == {"passed", "not judged"}


@pytest.mark.slow
@pytest.mark.parametrize("schedule", ["paper", "cosine 1000"])
@pytest.mark.parametrize("precision", ["float64", "float32", "bfloat16"])
@pytest.mark.parametrize("name", ["ours", "halves"])
def test_no_law_fails_on_a_right_one_at_full_size(name: str, schedule: str, precision: str) -> None:
    assert set(outcomes(right(name, schedule, precision))) == {"passed", "not judged"}


@pytest.mark.parametrize("prediction", ["v", "x_0"])
def test_ddim_by_another_prediction(prediction: str) -> None:
    class Other(Ddim):
        def ddim_step(self, network, x_t, t, s, z, eta):
            root, noise = np.sqrt(self.alpha_bar(t)), np.sqrt(1 - self.alpha_bar(t))

            def eps(x, time):
                answer = network(x, time)
                return noise * x + root * answer if prediction == "v" else (x - root * answer) / noise

            return super().ddim_step(eps, x_t, t, s, z, eta)

    model = Other(betas("linear 10"))
    model.prediction = prediction
    assert outcomes(model)["passed"] == {key for key in REST if key.startswith("ddim")}
    model.prediction = "eps"
    assert {"ddim/variance", "ddim/unclipped"} <= outcomes(model)["failed"]


def test_ddim_that_is_said_to_clip_is_not_blamed_for_it() -> None:
    clipping = CATALOGUE["DDIM clips x̂_0"].build(betas("linear 10"), 256)
    assert outcomes(clipping)["failed"] == {"ddim/unclipped"}
    clipping.clips = True
    assert set(outcomes(clipping)) == {"passed", "not judged"}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    ("schedule", "stated"), [("paper", "paper"), ("cosine 1000", "cosine"), ("cosine 10", "cosine")]
)
@pytest.mark.parametrize("without", ["", "betas", "alpha_bars"])
def test_the_schedule_that_is_stated(schedule: str, stated: str, dtype: str, without: str) -> None:
    model = Tables(betas(schedule).astype(dtype))
    assert set(outcomes(model)) == {"not judged"}
    model.schedule = stated
    if without:
        setattr(model, without, None)
    found = outcomes(model)
    assert set(found) == {"passed", "not judged"}
    assert len(found["passed"]) == 3
    model.schedule = "cosine" if stated == "paper" else "paper"
    assert len(outcomes(model)["failed"]) >= 2


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_schedule_that_is_formed_in_its_own_precision(dtype) -> None:
    """As many form it: in float32 from the start, where the ratio of two cosines keeps few digits."""
    angle = (np.arange(1001, dtype=dtype) / 1000 + dtype(0.008)) / dtype(1.008) * dtype(np.pi) / 2
    level = np.cos(angle) ** 2
    for made, stated in (
        (np.minimum(1 - level[1:] / level[:-1], dtype(0.999)), "cosine"),
        (np.linspace(1e-4, 0.02, 1000, dtype=dtype), "paper"),
    ):
        assert made.dtype == dtype
        model = Tables(made)
        model.schedule = stated
        assert set(outcomes(model)) == {"passed", "not judged"}


# ------------------------------------------------------------------------------------------- the wrong ones


def broken(what: str) -> frozenset[str]:
    entry = CATALOGUE[what]
    schedule = "cosine 10" if entry.about == "cosine" else "linear 10"
    found = outcomes(entry.build(betas(schedule), 256))
    assert "error" not in found
    return frozenset(found.get("failed", ()))


@pytest.fixture(scope="module")
def found() -> dict[str, frozenset[str]]:
    return {what: broken(what) for what in MISTAKES}


@pytest.mark.parametrize("what", MISTAKES)
def test_every_wrong_one_is_caught(found: dict[str, frozenset[str]], what: str) -> None:
    assert found[what]


@pytest.mark.parametrize("key", REST)
def test_every_law_catches_something(found: dict[str, frozenset[str]], key: str) -> None:
    assert any(key in keys for keys in found.values())


def test_no_two_laws_are_the_same(found: dict[str, frozenset[str]]) -> None:
    """For every two laws some wrong one breaks one and not the other."""
    for a, b in combinations(REST, 2):
        assert any((a in keys) != (b in keys) for keys in found.values()), (a, b)


# What one law catches and no other.
ALONE = {
    "√β_t is linear in place of β_t": "schedule/line",
    "the schedule has one step too many": "schedule/length",
    "β_t falls from β_T to β_1": "schedule/ends",
    "the cosine schedule is capped at 0.9999": "schedule/cosine-cap",
    "ᾱ_t of the cosine schedule is not divided by its value at 0": "schedule/cosine-start",
    "DDIM ends at ᾱ_1 in place of ᾱ_0 = 1": "ddim/end",
    "DDIM clips x̂_0": "ddim/unclipped",
    "the learned range is bounded": "learned-range/unbounded",
    "β̃_1 of the learned range is 10⁻²⁰": "learned-range/first",
    "v with its sign turned": "velocity/turn",
    "v is added on the way back to x_0": "velocity/x-0",
    "v has its roots swapped on the way back to ε": "velocity/eps",
    "the average is a copy after the first update": "average/weight",
    "the average is updated at every other step": "average/decay",
    "frequencies of the time that stop one before 1/10000": "embedding/last-frequency",
    "times from 1 are embedded as they are": "embedding/zero",
    "saved pictures wrap round": "images/clamp",
    "a network that normalises over the batch": "network/alone",
    "a network that starts with an answer": "network/silent-start",
    "a network whose time is not trained": "network/gradients",
    "a network that sees the first example's time only": "network/time",
    "a network whose answer is half as large": "network/shape",
    "a network without a bias at its end": "network/parameters",
    "a network with torch's ε in its group norms": "network/group-norm",
    "a network that pads on all sides where it halves": "network/padding",
}


@pytest.mark.parametrize("what", ALONE)
def test_caught_by_one_law_alone(found: dict[str, frozenset[str]], what: str) -> None:
    assert found[what] == {ALONE[what]}


@pytest.mark.parametrize(
    "adapter", [Average(), Embedding(), Images(), Images(17), Networks()], ids=lambda a: type(a).__name__
)
def test_plain_surroundings(adapter: object) -> None:
    assert set(outcomes(adapter)) == {"passed", "not judged"}


# --------------------------------------------------------------------------------------------- what they do


def test_torchs_generator_is_left_where_it_was() -> None:
    before = torch.get_rng_state()
    outcomes(Networks())
    assert torch.equal(before, torch.get_rng_state())


def test_an_answer_may_come_in_an_object_or_a_tuple() -> None:
    class Answer:
        def __init__(self, sample: Tensor) -> None:
            self.sample = sample

    for wrapped in (Answer, lambda answer: (answer,)):

        class Wrapping(Small):
            def forward(self, x: Tensor, t: Tensor, wrapped=wrapped):
                return wrapped(super().forward(x, t))

        assert set(outcomes(Networks(Wrapping))) == {"passed", "not judged"}


def test_a_network_that_decides_a_variance_has_twice_the_channels() -> None:
    class Twice(Small):
        def __init__(self) -> None:
            super().__init__()
            self.out = torch.nn.Conv2d(8, 6, 3, padding=1)
            self.quieten()

    assert outcomes(Networks(Twice))["failed"] == {"network/parameters"}


@pytest.mark.parametrize(
    ("sides", "inside", "right"),
    [
        ((0, 1, 0, 1), 0, True),
        ((1, 0, 1, 0), 0, False),
        ((1, 1, 1, 1), 0, False),
        ((0, 0, 0, 0), 1, False),
        ((0, 0, 0, 0), 0, False),
    ],
)
@pytest.mark.parametrize("own", [True, False])
def test_the_side_of_the_padding_is_seen(sides: tuple[int, ...], inside: int, right: bool, own: bool) -> None:
    """Whether the layer pads, or what calls it."""

    class Down(torch.nn.Conv2d):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(F.pad(x, sides) if own else x)

    class Padding(Small):
        def __init__(self) -> None:
            super().__init__()
            self.down = Down(8, 16, 3, stride=2, padding=inside)

        def padded(self, x: Tensor) -> Tensor:
            return x if own else F.pad(x, sides)

        def forward(self, x: Tensor, t: Tensor) -> Tensor:
            return self.down(self.padded(self.inward(x)))

    (result,) = check(Networks(Padding), [LAWS["network/padding"]])
    assert result.outcome == ("passed" if right else "failed")


def test_an_embedding_of_another_shape_is_an_error() -> None:
    class Short(Embedding):
        def time_embedding(self, t, dim):
            return super().time_embedding(t, dim - 2)

    (result,) = check(Short(), [LAWS["embedding/shift"]])
    assert (result.outcome, result.why) == (
        "error",
        "ValueError: an embedding of shape (1000, 94) came back for (1000, 96)",
    )
