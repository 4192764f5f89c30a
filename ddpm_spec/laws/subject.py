"""An adapter as the laws see it: rows of float64, times from 1, a network that predicts the noise."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ddpm_spec.laws.protocol import Array, Network, Precision, Stated

__all__ = ["UNIT", "Predicted", "Subject"]

UNIT: dict[Precision, float] = {
    "float64": 2.0**-53,
    "float32": 2.0**-24,
    "float16": 2.0**-11,
    "bfloat16": 2.0**-8,
}
"""The largest relative error of rounding once."""


class Predicted:
    """A network whose answer is already what the implementation predicts, be that ε, v or x_0."""

    def __init__(self, answer: Network) -> None:
        self.answer = answer


class Subject:
    """Whatever the adapter's arrays, shapes, times and predictions are, here they are the laws' own.

    x has shape (B, D), float64; t is an integer in 1..T or an array (B,) of them; a network takes and returns
    these and predicts the noise. Data are rounded to the adapter's precision on the way in.

    Raises:
        ValueError: if the tables are not vectors of one length T ≥ 2, or what is stated is not known.
    """

    def __init__(self, adapter: object) -> None:
        self.adapter = adapter
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
        """Whether the adapter has this part. `tables` are betas or alpha_bars; any step has a variance."""
        if name == "tables":
            return self.has("betas") or self.has("alpha_bars")
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
        # Without β, those that the ratios of ᾱ_t imply.
        if betas is None and bars is not None:
            betas = 1 - bars / np.concatenate([[1.0], bars[:-1]])
        self.betas = betas

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
        x = np.ascontiguousarray(x, dtype=float).reshape(len(x), *self.shape)
        if self.stated("arrays") == "numpy":
            return x.astype(self.precision)
        import torch

        return torch.from_numpy(x).to(getattr(torch, self.precision))

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
        return self._flat(self._method("q_sample")(self.theirs(x_0), self._times(t), self.theirs(eps)))

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
        zero, one = np.zeros((1, self.dim)), np.ones((1, self.dim))
        still, moved = (self.p_sample(lambda x, t: 0 * x, zero, t, z) for z in (zero, one))
        return float((moved - still)[0, 0] ** 2)

    def p_sample(self, network: Network, x_t: Array, t: int, z: Array) -> Array:
        """x_{t−1} of Algorithm 2."""
        step = self._method("p_sample")
        return self._flat(step(self.network(network), self.theirs(x_t), self._time(t), self.theirs(z)))

    def loss(self, network: Network | Predicted, x_0: Array, t: Array, eps: Array) -> float:
        """Eq. 14."""
        method = self._method("loss")
        return self._one(method(self.network(network), self.theirs(x_0), self._times(t), self.theirs(eps)))

    def prior_term(self, x_0: Array) -> Array:
        """L_T."""
        return self._terms(self._method("prior_term")(self.theirs(x_0)), len(x_0))

    def bound_term(self, network: Network, x_0: Array, t: int, eps: Array) -> Array:
        """L_{t−1}."""
        method = self._method("bound_term")
        terms = method(self.network(network), self.theirs(x_0), self._time(t), self.theirs(eps))
        return self._terms(terms, len(x_0))

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
