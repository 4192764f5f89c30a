"""An adapter as the laws see it: rows of float64, times from 1, a network that predicts the noise."""

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from ddpm_spec.laws.betas import cosine_betas, paper_betas
from ddpm_spec.laws.chain import Chain
from ddpm_spec.laws.protocol import PARTS, Array, Network, Precision, Sampler, Stated
from ddpm_spec.laws.replay import at_noise, seeded

__all__ = ["UNIT", "Predicted", "Subject", "rounded"]

UNIT: dict[Precision, float] = {
    "float64": 2.0**-53,
    "float32": 2.0**-24,
    "float16": 2.0**-11,
    "bfloat16": 2.0**-8,
}
"""The largest relative error of rounding once."""


def rounded(x: Array, precision: Precision) -> Array:
    """The nearest numbers of this precision. NumPy has no bfloat16; its numbers are held in float32."""
    if precision != "bfloat16":
        return x.astype(precision)
    mantissa, exponent = np.frexp(x.astype(np.float32))
    nearest: Array = np.ldexp(np.round(mantissa * 2**8) / 2**8, exponent)
    return nearest


class Predicted:
    """A network whose answer is already what the implementation predicts, be that ε, v or x_0."""

    def __init__(self, answer: Network) -> None:
        self.answer = answer


class Subject:
    """Whatever the adapter's arrays, shapes, times and predictions are, here they are the laws' own.

    x has shape (B, D), float64; t is an integer in 1..T or an array (B,) of them; a network takes and returns
    these and predicts the noise. Data are rounded to the adapter's precision on the way in.

    Args:
        adapter: an implementation, see `protocol.Implementation`, or what makes one when it is called.

    Raises:
        ValueError: if the tables are not vectors of one length T ≥ 2, or what is stated is not known.
    """

    betas: Any
    """β_1..β_T, or None."""

    def __init__(self, adapter: object) -> None:
        made = isinstance(adapter, type) or not any(
            getattr(adapter, name, None) is not None for name in PARTS
        )
        if made and callable(adapter):
            self.make: Callable[[], object] | None = adapter
            self.adapter = adapter()
        else:
            self.make, self.adapter = _copies(adapter), adapter
        self._given: list[tuple[Array, Any]] | None = None
        self._variances: dict[tuple[int, str], float] = {}
        self.precision: Precision = self.stated("precision")
        if self.precision not in UNIT:
            raise ValueError(f"precision is {self.precision!r}; choose from {', '.join(UNIT)}")
        half = self.precision in ("float16", "bfloat16")
        self.unit = UNIT[self.precision]
        self.table_unit = UNIT[self.stated("tables") or ("float32" if half else self.precision)]
        self.prediction = self.stated("prediction")
        self.clips = bool(self.stated("clips"))
        self.levels = int(self.stated("levels"))
        self.shape = tuple(self.stated("shape"))
        self.dim = int(np.prod(self.shape))
        if self.levels < 3:
            raise ValueError(f"levels = {self.levels}: at least 3 grey levels are needed")
        self._tables()

    def stated(self, name: str) -> Any:
        """What the adapter states, or what is taken where it does not."""
        return getattr(self.adapter, name, getattr(Stated, name))

    def has(self, name: str) -> bool:
        """Whether the adapter has this part.

        `tables` are betas or alpha_bars, or a schedule that is stated; any step has a variance.
        """
        if name == "tables":
            return bool(self.assumed) or self.has("betas") or self.has("alpha_bars")
        if name == "fresh copy":
            return self.make is not None
        if name == "variance":
            return getattr(self.adapter, "variance", None) is not None or self.has("p_sample")
        return getattr(self.adapter, name, None) is not None

    def _tables(self) -> None:
        betas, bars = (
            None if getattr(self.adapter, name, None) is None else self.rows(getattr(self.adapter, name))
            for name in ("betas", "alpha_bars")
        )
        shapes = [np.shape(table) for table in (betas, bars) if table is not None]
        if shapes and (len(set(shapes)) > 1 or len(shapes[0]) != 1 or shapes[0][0] < 2):
            raise ValueError(
                f"betas and alpha_bars have shape {' and '.join(map(str, shapes))}; "
                "both must be (T,), T at least 2"
            )
        self.alpha_bars = bars
        self.assumed = ""
        """The schedule by which it is judged, in words, where it has no tables of its own."""
        self.from_ratios = betas is None and bars is not None
        """Whether β_t are those that the ratios of ᾱ_t imply."""
        if bars is not None and betas is None:
            betas = 1 - bars / np.concatenate([[1.0], bars[:-1]])
        elif betas is None:
            betas = self._assumed()
        self.betas: Any = betas

    def _assumed(self) -> Array | None:
        """β_t of the schedule that an adapter without tables states."""
        T, schedule = self.stated("T"), self.stated("schedule")
        if T is None and schedule is None:
            return None
        T = 1000 if T is None else int(T)
        if T < 2:
            raise ValueError(f"T = {T}: at least 2 steps are needed")
        if schedule == "cosine":
            self.assumed = f"the cosine schedule in {T} steps"
            return cosine_betas(T)
        self.assumed = f"the paper's β_t, from 0.0001 to 0.02 in {T} steps"
        return paper_betas(T)

    def fresh(self) -> "Subject":
        """Another one, as it was before anything was called."""
        if self.make is None:
            raise ValueError("the adapter cannot be copied; give a function without arguments that makes one")
        return Subject(self.make())

    # ------------------------------------------------------------------------------- across the border

    def rows(self, x: Any) -> Array:
        """Their array or tensor as NumPy's float64, the examples flat."""
        if hasattr(x, "detach"):
            x = x.detach().cpu().double().numpy()
        return np.asarray(x, dtype=float)

    def _flat(self, x: Any) -> Array:
        rows = self.rows(x)
        if rows.shape[1:] != self.shape:
            raise ValueError(f"an array of shape {rows.shape} came back for examples of shape {self.shape}")
        return rows.reshape(len(rows), -1)

    def theirs(self, x: Array) -> Any:
        """Rows as their arrays, in their precision and shape."""
        # A copy, since their code may write into what it is given.
        array: Any = np.array(x, dtype=float).reshape(len(x), *self.shape)
        if self.stated("arrays") == "numpy":
            array = rounded(array, self.precision)
        else:
            import torch

            array = torch.from_numpy(array).to(getattr(torch, self.precision))
        if self._given is not None:
            self._given.append((np.array(self.rows(array)), array))
        return array

    @contextmanager
    def watched(self) -> Iterator[list[tuple[Array, Any]]]:
        """Collect what their code is given: as it was then, and the array itself."""
        self._given = []
        try:
            yield self._given
        finally:
            self._given = None

    def _times(self, t: Array) -> Any:
        shifted = np.asarray(t) + self.stated("first_time") - 1
        if self.stated("arrays") == "numpy":
            return shifted
        import torch

        return torch.from_numpy(shifted)

    def _time(self, t: int) -> int:
        return int(t) + int(self.stated("first_time")) - 1

    def network(self, network: Network | Predicted) -> Network:
        """A network of the laws as the implementation wants one."""

        def asked(x: Any, t: Any, *_: Any, **__: Any) -> Any:
            rows = self._flat(x)
            times = (
                np.broadcast_to(np.round(self.rows(t)).astype(int), len(rows)) - self.stated("first_time") + 1
            )
            answer = self._predicted(network, rows, times)
            return self.theirs(answer)

        return asked

    def _predicted(self, network: Network | Predicted, x_t: Array, t: Array) -> Array:
        if isinstance(network, Predicted):
            answer: Array = network.answer(x_t, t)
            return answer
        return self.from_eps(network(x_t, t), x_t, t)

    def from_eps(self, eps: Array, x_t: Array, t: Array) -> Array:
        """What their network must predict where ours predicts ε."""
        if self.prediction == "eps":
            return eps
        bars = np.concatenate([[1.0], np.cumprod(1 - self.betas)])[t][:, None]
        answer: Array = (
            (x_t - np.sqrt(1 - bars) * eps) / np.sqrt(bars)
            if self.prediction == "x_0"
            else (eps - np.sqrt(1 - bars) * x_t) / np.sqrt(bars)
        )
        return answer

    # ------------------------------------------------------------------------------------ their methods

    def _method(self, name: str) -> Callable[..., Any]:
        method: Callable[..., Any] = getattr(self.adapter, name)
        return method

    def q_sample(self, x_0: Array, t: Array, eps: Array) -> Array:
        """x_t of Eq. 4."""
        method = self._method("q_sample")
        return self._noisy("q_sample", eps, lambda *noise: method(self.theirs(x_0), self._times(t), *noise))

    def posterior(self, x_0: Array, x_t: Array, t: int) -> tuple[Array, float]:
        """Mean and variance of q(x_{t−1} | x_t, x_0)."""
        mean, variance = self._method("posterior")(self.theirs(x_0), self.theirs(x_t), self._time(t))
        return self._flat(mean), self._one(variance)

    def predict_x_0(self, x_t: Array, t: int, eps: Array) -> Array:
        """x̂_0 of Eq. 15."""
        predicted = self.from_eps(eps, x_t, np.full(len(x_t), t))
        answer = self._method("predict_x_0")(self.theirs(x_t), self._time(t), self.theirs(predicted))
        return self._flat(answer)

    def variance(self, t: int) -> float:
        """σ_t², from the step itself where the adapter does not tell."""
        if getattr(self.adapter, "variance", None) is not None:
            return self._one(self._method("variance")(self._time(t)))
        if (t, self.precision) not in self._variances:
            zero, one = np.zeros((1, self.dim)), np.ones((1, self.dim))
            still, moved = (self.p_sample(lambda x, t: 0 * x, zero, t, z) for z in (zero, one))
            self._variances[t, self.precision] = float((moved - still)[0, 0] ** 2)
        return self._variances[t, self.precision]

    def p_sample(self, network: Network, x_t: Array, t: int, z: Array) -> Array:
        """x_{t−1} of Algorithm 2."""
        step, asked = self._method("p_sample"), self.network(network)
        return self._noisy("p_sample", z, lambda *noise: step(asked, self.theirs(x_t), self._time(t), *noise))

    def _noisy(self, part: str, z: Array, call: Callable[..., Any]) -> Array:
        """Make a call that is given noise, or one that draws it."""
        if part not in self.stated("draws"):
            return self._flat(call(self.theirs(z)))

        def under(seed: int) -> Array:
            with seeded(seed):
                return self._flat(call())

        return at_noise(under, z, self.shape, self.precision, self.unit)

    def loss(self, network: Network | Predicted, x_0: Array, t: Array, eps: Array) -> float:
        """Eq. 14."""
        # A loss that draws its own ε takes none; what the laws say of it holds for every ε.
        noise = () if "loss" in self.stated("draws") else (self.theirs(eps),)
        with seeded(0):
            loss = self._method("loss")(self.network(network), self.theirs(x_0), self._times(t), *noise)
        return self._one(loss)

    def prior_term(self, x_0: Array) -> Array:
        """L_T."""
        return self._terms(self._method("prior_term")(self.theirs(x_0)), len(x_0))

    def bound_term(self, network: Network, x_0: Array, t: int, eps: Array) -> Array:
        """L_{t−1}."""
        method = self._method("bound_term")
        terms = method(self.network(network), self.theirs(x_0), self._time(t), self.theirs(eps))
        return self._terms(terms, len(x_0))

    def sample(self, network: Network, count: int, seed: int = 0) -> Array:
        """Images, by the whole of Algorithm 2, with the global generators started at this seed."""
        with seeded(seed):
            images = self._flat(self._method("sample")(self.network(network), count))
        if len(images) != count:
            raise ValueError(f"{len(images)} images came back where {count} were asked for")
        return images

    def draw_times(self, count: int, seed: int = 0) -> Array:
        """Times of training examples, integers counted from 1 where the implementation's are."""
        with seeded(seed):
            times = self.rows(self._method("draw_times")(count)).ravel()
        if len(times) != count or not np.array_equal(times, np.round(times)):
            raise ValueError(f"{len(times)} times came back where {count} whole numbers were asked for")
        whole: Array = times.astype(int) - int(self.stated("first_time")) + 1
        return whole

    def sampler(self, steps: int) -> Chain:
        """The sampler for this many steps, as a chain."""
        sampler: Sampler = self._method("sampler")(steps)
        times = self.rows(sampler.times).ravel() - int(self.stated("first_time")) + 1
        if not np.array_equal(times, np.round(times)):
            raise ValueError("the sampler's times are not whole numbers")

        def step(network: Network, x_t: Array, k: int, z: Array) -> Array:
            asked, before = self.network(network), sampler

            def call(*noise: Any) -> Any:
                nonlocal sampler
                if not noise:
                    # The step is taken several times, from what the sampler remembers now.
                    sampler = copy.deepcopy(before)
                return sampler.step(asked, self.theirs(x_t), k, *noise)

            return self._noisy("sampler", z, call)

        return Chain(tuple(int(t) for t in times), step)

    def ancestral(self) -> Chain:
        """Algorithm 2 as a chain of their steps."""
        times = tuple(range(len(self.betas), 0, -1))
        return Chain(times, lambda network, x_t, k, z: self.p_sample(network, x_t, times[k], z))

    def _terms(self, terms: Any, count: int) -> Array:
        rows = self.rows(terms)
        if rows.shape != (count,):
            raise ValueError(f"terms of shape {rows.shape} came back for {count} examples")
        return rows

    def _one(self, value: Any) -> float:
        """A number; a tensor of equal ones is one, too."""
        values = self.rows(value).ravel()
        if not len(values) or not np.array_equal(values, np.full(len(values), values[0]), equal_nan=True):
            raise ValueError(f"an array of shape {np.shape(value)} came back where one number is expected")
        return float(values[0])

    def parts(self, names: Sequence[str]) -> list[str]:
        """Those of the parts that the adapter lacks."""
        return [name for name in names if not self.has(name)]

    # ---------------------------------------------- what came after the paper, and what is around it

    def ddim_step(
        self, network: Network | Predicted, x_t: Array, t: int, s: int, z: Array, eta: float
    ) -> Array:
        """x_s of DDIM for an earlier s; 0 is the image."""
        step = self._method("ddim_step")
        times = self._time(t), self._time(s)
        return self._flat(step(self.network(network), self.theirs(x_t), *times, self.theirs(z), eta))

    def learned_variance(self, answer: Array, t: int) -> Array:
        """σ_t² for what the network answers."""
        return self._flat(self._method("learned_variance")(self.theirs(answer), self._time(t)))

    def velocity(self, x_0: Array, eps: Array, t: Array) -> Array:
        """What a network that predicts v is trained to predict."""
        return self._flat(self._method("velocity")(self.theirs(x_0), self.theirs(eps), self._times(t)))

    def from_velocity(self, name: str, x_t: Array, v: Array, t: Array) -> Array:
        """What `x_0_from_velocity` or `eps_from_velocity`, whichever is named, makes of x_t and v."""
        return self._flat(self._method(name)(self.theirs(x_t), self.theirs(v), self._times(t)))

    def average(self, decay: float, values: Sequence[float]) -> Array:
        """The moving averages of these values, one for each."""
        averages = [self._one(average) for average in self._method("average")(decay, list(values))]
        return self._terms(np.array(averages), len(values))

    def time_embedding(self, t: Array, dim: int) -> Array:
        """The sines and cosines of t, (B, dim)."""
        rows = self.rows(self._method("time_embedding")(self._times(t), dim))
        if rows.shape != (len(t), dim):
            raise ValueError(f"an embedding of shape {rows.shape} came back for {(len(t), dim)}")
        return rows

    def make_network(self) -> Any:
        """A new torch module."""
        return self._method("make_network")()

    def to_model(self, pixels: Array) -> Array:
        """Grey levels as the network sees them."""
        return self._flat(self._method("to_model")(self._levels(pixels)))

    def to_pixels(self, x: Array) -> Array:
        """The grey levels that are saved."""
        return self._flat(self._method("to_pixels")(self.theirs(x)))

    def _levels(self, pixels: Array) -> Any:
        kind = "uint8" if self.levels <= 256 else "int64"
        pixels = pixels.astype(kind).reshape(len(pixels), *self.shape)
        if self.stated("arrays") == "numpy":
            return pixels
        import torch

        return torch.from_numpy(pixels)


def _copies(adapter: object) -> Callable[[], object] | None:
    """What makes copies of an adapter as it is now, if it can be copied."""
    try:
        pristine = copy.deepcopy(adapter)
    except Exception:  # whatever their objects raise; the laws of state are then not judged
        return None
    return lambda: copy.deepcopy(pristine)
