"""Laws of whole chains: the times that are trained and visited, where a chain starts and ends, its moments.

What is random is seeded. All cases of a law together have a false alarm of 10⁻⁶, by bounds that hold for
every size: P(|χ²_n − n| > 2 √(n a) + 2 a) ≤ 2 e^−a (Laurent and Massart, 2000) and P(|z| > √(2 a)) ≤ 2 e^−a.
"""

import contextlib
import math
from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from ddpm_spec.laws.chain import Chain, respond
from ddpm_spec.laws.law import Case, Cases, law
from ddpm_spec.laws.protocol import Array
from ddpm_spec.laws.reference import Reference, spread
from ddpm_spec.laws.subject import Subject

__all__ = [
    "ancestral_moments",
    "fewer_ends",
    "fewer_levels",
    "fewer_moments",
    "fewer_next",
    "fewer_times",
    "loop_ends",
    "loop_start",
    "loop_steps",
    "loop_times",
    "step_counts",
    "trained_times",
]

_NUMBERS = 20_000
"""Random numbers in a test, so that a variance that is 6 % off is seen."""
_MEAN, _VARIANCE = 0.3, 0.37
"""Of Gaussian data, most of which lies within [−1, 1]."""


def _exponent(tests: int) -> float:
    """a, for two-sided tests that together give a false alarm of 10⁻⁶."""
    return math.log(2 * tests / 1e-6)


def _chi_square(count: int, tests: int) -> float:
    """How far χ² with this many degrees of freedom may be from its mean."""
    a = _exponent(tests)
    return 2 * math.sqrt(count * a) + 2 * a


def _normal(tests: int) -> float:
    """How large a standard normal number may be."""
    return math.sqrt(2 * _exponent(tests))


# ------------------------------------------------------------------------------------------- training


@law("training/times", "tables", "draw_times")
def trained_times(reference: Reference, model: Subject) -> Cases:
    """Algorithm 1: the times that are trained are uniform on 1..T."""
    count = 40 * reference.T
    times = model.draw_times(count)
    outside = (times < 1) | (times > reference.T)
    yield Case(float(outside.sum()), 0.0, f"{outside.sum()} of {count} times outside 1..T")
    # A uniform draw misses one of the times with probability T e^−40.
    drawn = np.bincount(times[~outside], minlength=reference.T + 1)[1:]
    never = np.flatnonzero(drawn == 0) + 1
    yield Case(float(len(never)), 0.0, int(never[0]) if len(never) else "all times are drawn")
    # Pearson's statistic; spread out on purpose, as antithetic times are, it may be as small as it likes.
    statistic = float(((drawn - 40) ** 2).sum() / 40)
    yield Case(max(statistic - (reference.T - 1), 0.0), _chi_square(reference.T - 1, 1), "all times together")


# -------------------------------------------------------------------------------- Algorithm 2, as a loop


class _Seen(Exception):
    """Ends a loop whose first network call is all that is asked for."""


@law("loop/start", "tables", "sample")
def loop_start(reference: Reference, model: Subject) -> Cases:
    """Algorithm 2: the chain starts from x_T ~ N(0, I)."""
    count = 2 * -(-_NUMBERS // (2 * model.dim))
    seen: list[Array] = []

    def network(x_t: Array, t: Array) -> Array:
        seen.append(x_t)
        raise _Seen

    with contextlib.suppress(_Seen):
        model.sample(network, count)
    if not seen or len(seen[0]) != count:
        yield Case(np.inf, 0.0, "the network is not asked about all images at once")
        return
    x = seen[0]
    # Sums and differences of neighbours are as normal as the numbers, unless one example is like the next.
    for what, numbers in (
        ("sums of two examples", (x[::2] + x[1::2]) / math.sqrt(2)),
        ("differences of two examples", (x[::2] - x[1::2]) / math.sqrt(2)),
    ):
        allowed = _chi_square(numbers.size, 3) + 4 * model.unit * numbers.size
        yield Case(abs(float((numbers**2).sum()) - numbers.size), allowed, what)
    mean = abs(float(x.sum())) / math.sqrt(x.size)
    yield Case(mean, _normal(3) + 4 * model.unit * math.sqrt(x.size), "mean")


@law("loop/times", "tables", "sample")
def loop_times(reference: Reference, model: Subject) -> Cases:
    """Algorithm 2: the network is asked about T, T − 1, …, 1, each once."""
    times, _, _, _ = _run(reference, model)
    expected = np.arange(reference.T, 0, -1)
    if len(times) != len(expected):
        yield Case(float(abs(len(times) - len(expected))), 0.0, f"{len(times)} calls of the network")
        return
    wrong = np.flatnonzero(times != expected)
    yield Case(float(len(wrong)), 0.0, f"t = {times[wrong[0]]}" if len(wrong) else "all calls")


@law("loop/end", "tables", "sample")
def loop_ends(reference: Reference, model: Subject) -> Cases:
    """Algorithm 2: if the network knows x_0, the chain ends in x_0."""
    _, _, images, x_0 = _run(reference, model)
    missed = np.abs(images - x_0)
    # At t = 1 the mean is x̂_0. |ε| ≤ 8 if x_1 belongs to t = 1, and where x_0 is 0 nothing else is in x_1.
    yield Case(float(missed[::2].max()), reference.mean_error(1, 2.0, 8.0), "the image")
    small = 8 * math.sqrt(reference.noise[1])
    yield Case(float(missed[1::2].max()), reference.mean_error(1, small, 8.0), "a blank image")


@law("loop/steps", "tables", "sample")
def loop_steps(reference: Reference, model: Subject) -> Cases:
    """Algorithm 2: each x_{t−1} of the loop is the mean of Eq. 11 and fresh noise of variance σ_t².

    For a network that knows x_0, so that the mean is Eq. 7. What is left after it is taken off is judged: its
    size, its mean, and that neither x_t nor the next step's noise tells anything about it. If σ_t² is not
    known, it must lie between β̃_t and β_t.
    """
    times, visited, images, x_0 = _run(reference, model)
    states = [*visited, images]
    taken = [k for k in range(len(times) - 1) if times[k] >= 2 and times[k + 1] == times[k] - 1]
    # In half precision rounding hides the noise of small steps; those that show it are enough.
    clear = [k for k in taken if _step_error(reference, model, int(times[k]))[0] <= 0.35]
    taken = clear or taken
    if not taken:
        return
    squares, sums, errors, after = np.zeros(2), np.zeros(3), np.zeros(4), np.zeros_like(x_0)
    for k in taken[::-1]:
        t, x_t = int(times[k]), states[k]
        left = states[k + 1] - reference.posterior_mean(x_0, x_t, t)
        small, large = _deviations(reference, model, t)
        z = left / large
        squares += float((left**2).sum()) / np.array([small**2, large**2])
        sums += [z.sum(), _share(z, x_t), _share(z, after)]
        # Cauchy's inequality bounds the sums by the root mean square of the error, and by that of z, about 1.
        off = _step_error(reference, model, t)
        errors += [*((2 * off + off**2) * z.size), off[1] * z.size, off[1] * math.sqrt(z.size)]
        after = z
    numbers = len(taken) * x_0.size
    bound = _chi_square(numbers, 5)
    yield Case(max(numbers - squares[0], 0.0), bound + errors[0], "too little noise")
    yield Case(max(squares[1] - numbers, 0.0), bound + errors[1], "too much noise")
    # Given what came before, each of these sums is normal, and each summand's variance is at most 1.
    for what, total, terms, error in (
        ("the mean of the noise", sums[0], numbers, errors[2]),
        ("noise that x_t tells", sums[1], len(taken), errors[3]),
        ("noise that the next step's tells", sums[2], len(taken), errors[3]),
    ):
        yield Case(abs(float(total)), _normal(5) * math.sqrt(terms) + error, what)


def _deviations(reference: Reference, model: Subject, t: int) -> tuple[float, float]:
    """The smallest and the largest σ_t that are right: their own, or those that the paper names."""
    if model.has("variance") and model.variance(t) > 0:
        return math.sqrt(model.variance(t)), math.sqrt(model.variance(t))
    return math.sqrt(reference.posterior_variance(t)), math.sqrt(reference.beta[t])


def _step_error(reference: Reference, model: Subject, t: int) -> Array:
    """The error of a step's mean over the smallest and the largest σ_t, as a root mean square.

    In a sampler that is right those of x_t and ε are at most 1.25, for the 256 numbers that are looked at.
    """
    return reference.mean_error(t, 1.25, 1.25) / np.array(_deviations(reference, model, t))


def _share(z: Array, direction: Array) -> float:
    """z along a direction; normal with variance 1 if z is."""
    size = float(np.linalg.norm(direction))
    return float((z * direction).sum()) / size if size else 0.0


@lru_cache(maxsize=1)
def _run(reference: Reference, model: Subject) -> tuple[Array, list[Array], Array, Array]:
    """A loop with a network that knows x_0: when it is asked, what it is shown, the images, and x_0.

    One run serves three laws. The data are an image, a blank one, and so on.
    """
    count = max(-(-max(256, _NUMBERS // reference.T) // model.dim), 2)
    x_0 = spread(count, model.dim, 0.9) * (1 - np.arange(count) % 2)[:, None]
    times: list[int] = []
    visited: list[Array] = []
    known = reference.knowing(x_0)

    def network(x_t: Array, t: Array) -> Array:
        times.append(int(t[0]) if (t == t[0]).all() else -1)
        visited.append(x_t)
        return known(x_t, np.clip(t, 1, reference.T))

    images = model.sample(network, count)
    return np.array(times), visited, images, x_0


# ----------------------------------------------------------------------------- moments of the whole chain


@law(
    "chain/moments",
    "tables",
    "p_sample",
    "variance",
    rests_on=("reverse/mean", "reverse/noise", "reverse/last-step"),
)
def ancestral_moments(reference: Reference, model: Subject) -> Cases:
    """Algorithm 2: for Gaussian data and the best network, T steps give the moments of the exact chain.

    The exact chain is x_{t−1} = E[x_{t−1} | x_t] + σ_t z from N(0, I), with their σ_t². The moments of theirs
    are sums over its response to x_T and to the noise of each step.
    """
    ours = respond(model.ancestral(), reference.normal_denoiser(_MEAN, _VARIANCE), model.dim)
    mean, variance = 0.0, 1.0
    mean_error = slope_error = noise_error = local = 0.0
    for t in range(reference.T, 0, -1):
        mean_t, mean_prev, slope, _, spread_t = reference.normal_step(t, _MEAN, _VARIANCE)
        added = max(model.variance(t), 0.0) if t > 1 else 0.0
        per_x = math.sqrt(reference.noise[t]) / spread_t
        # Errors of the step's coefficients act on all inputs alike, while each has roundings of its own.
        off = abs(mean - mean_t) + abs(mean)
        mean_error = slope * mean_error + reference.mean_error(t, abs(mean), per_x * off)
        slope_error += reference.mean_error(t, 1.0, per_x) / slope
        noise_error = slope**2 * noise_error + 2 * reference.variance_error(t) * added
        local = slope * local + 4 * model.unit
        mean, variance = mean_prev + slope * (mean - mean_t), slope**2 * variance + added
    yield Case(abs(ours.mean - mean), mean_error + local, "mean")
    gain = float(np.abs(ours.factors).sum())
    allowed = variance * math.expm1(min(2 * slope_error, 50.0)) + noise_error
    # A factor is a difference of two numbers, put in at half size.
    rounded = 4 * local
    yield Case(
        abs(ours.variance - variance),
        allowed + 2 * rounded * gain + len(ours.factors) * rounded**2,
        "variance",
    )


# ------------------------------------------------------------------------------------------ fewer steps


def step_counts(T: int) -> tuple[int, ...]:
    """Numbers of steps to look at: T, few, and odd ones that do not divide T."""
    return tuple(
        sorted({T, *(s for s in (50, 61, 501) if s < T), *((T // 2, T - 1) if T <= 61 else ())} - {0, 1})
    )


def _chains(reference: Reference, model: Subject) -> Iterator[tuple[int, Chain]]:
    counts = step_counts(reference.T)
    for steps in counts[:2] if reference.only else counts:
        yield steps, model.sampler(steps)


def _at(steps: int, chain: Chain, k: int) -> str:
    return f"{steps} steps, from t = {chain.times[k]} to {chain.next(k)}"


@law("few-step/times", "tables", "sampler", level="custom")
def fewer_times(reference: Reference, model: Subject) -> Cases:
    """Few-step sampling: it visits T first, then ever smaller times, none below 1 and none twice."""
    for steps, chain in _chains(reference, model):
        times = np.array(chain.times)
        if not 0 < len(times) <= reference.T:
            yield Case(np.inf, 0.0, f"{steps} steps visit {len(times)} times")
            continue
        yield Case(float(abs(times[0] - reference.T)), 0.0, f"{steps} steps, first time {times[0]}")
        rising = float((np.diff(times) >= 0).sum() + (times < 1).sum())
        yield Case(rising, 0.0, f"{steps} steps, {len(times)} times")


@law("few-step/next", "tables", "sampler", level="custom", rests_on=("few-step/times",))
def fewer_next(reference: Reference, model: Subject) -> Cases:
    """Few-step sampling: each step goes to the next time visited, where the image's share is √ᾱ.

    A network that knows x_0 finds no noise in √ᾱ_t x_0; from there a step ends in √ᾱ x_0 of the next time.
    """
    x_0 = reference.x
    for steps, chain in _usable(reference, model):
        for k, t in enumerate(chain.times):
            s = chain.next(k)
            ours = chain.step(reference.knowing(x_0), math.sqrt(reference.signal[t]) * x_0, k, 0 * x_0)
            share, size = math.sqrt(reference.signal[s]), math.sqrt(reference.signal[t])
            # The network takes for noise what x_t is rounded by.
            eps = 4 * model.unit * size / math.sqrt(reference.noise[t])
            allowed = share * (reference.x_0_error(t, size, eps) + _weight_error(reference, s, t))
            allowed += math.sqrt(reference.noise[s]) * eps
            yield Case(float(np.abs(ours - share * x_0).max()), allowed, _at(steps, chain, k))


@law("few-step/noise", "tables", "sampler", level="custom", rests_on=("few-step/times", "few-step/next"))
def fewer_levels(reference: Reference, model: Subject) -> Cases:
    """Few-step sampling: each step leaves the noise of the next time visited, or what σ² = β adds to it.

    For a network that knows x_0: the variance of x at the next time s is 1 − ᾱ_s if σ² is 0 (DDIM), β̃ or
    between. It is greater by β − β̃ if σ² is β = 1 − ᾱ_t/ᾱ_s.
    """
    for steps, chain in _usable(reference, model):
        # Without anything, with the noise in x_t, with the noise of the step.
        x = np.zeros((3, model.dim))
        z = x.copy()
        z[2] = 1.0
        for k, t in enumerate(chain.times[:-1]):
            s = chain.next(k)
            x[1] = math.sqrt(reference.noise[t])
            ours = chain.step(reference.knowing(np.zeros_like(x)), x, k, z)
            variance = float(((ours[1] - ours[0]) ** 2 + (ours[2] - ours[0]) ** 2).max())
            beta = 1 - reference.signal[t] / reference.signal[s]
            low, high = (
                reference.noise[s],
                reference.noise[s] + beta * (1 - reference.noise[s] / reference.noise[t]),
            )
            outside = max(low - variance, variance - high, 0.0) if np.isfinite(variance) else np.inf
            allowed = _level_error(reference, s, t) * high
            yield Case(outside, allowed, _at(steps, chain, k))


def _weight_error(reference: Reference, s: int, t: int) -> float:
    """The relative error of what x̂_0 and x_t are multiplied by, made of 1 − ᾱ_t, 1 − ᾱ_s and 1 − ᾱ_t/ᾱ_s."""
    kept = reference.signal[t] / reference.signal[s]
    # The factors of ᾱ_t/ᾱ_s, a rounding of each entry, of their quotient and of its difference from 1.
    between = reference.table_error[t] - reference.table_error[s]
    ratio = kept * (between + 8 * reference.subject.table_unit)
    subtracted = reference.noise_rounding(t) + reference.noise_rounding(s) + ratio / (1 - kept)
    return float(reference.rounding(t) + subtracted)


def _level_error(reference: Reference, s: int, t: int) -> float:
    """The relative error of the noise that is left at s.

    x_t is a √ᾱ_t-th of what it gives to x̂_0, of which √ᾱ_s is kept.
    """
    through = math.sqrt(reference.signal[s] / reference.signal[t] * reference.noise[t] / reference.noise[s])
    return 2 * _weight_error(reference, s, t) * (2 + through)


@law("few-step/end", "tables", "sampler", level="custom", rests_on=("few-step/next",))
def fewer_ends(reference: Reference, model: Subject) -> Cases:
    """Few-step sampling: if the network knows x_0, the last step ends in x_0, in any number of steps.

    From another x_T and with noise in every step.
    """
    x_0, z = np.concatenate([reference.x, 0 * reference.x]), np.tile(reference.z, (2, 1))
    for steps, chain in _usable(reference, model):
        x = z
        for k in range(len(chain.times)):
            x = chain.step(reference.knowing(x_0), x, k, np.cos(1 + k) * z)
        last, missed = chain.times[-1], np.abs(x - x_0)
        noise = 8 * math.sqrt(reference.noise[last])
        for what, rows, size in ("an image", slice(2), 1 + noise), ("a blank image", slice(2, None), noise):
            allowed = reference.x_0_error(last, size, 8.0) + reference.mean_error(last, size, 8.0)
            yield Case(float(missed[rows].max()), allowed, f"{what}, {steps} steps")


@law(
    "few-step/moments",
    "tables",
    "sampler",
    level="custom",
    rests_on=("few-step/next", "few-step/noise", "few-step/end"),
)
def fewer_moments(reference: Reference, model: Subject) -> Cases:
    """Few-step sampling: for Gaussian data the error of the samples' mean and deviation is a first-order one.

    It is at most twice that of the simple samplers at the same times, with the best network and σ² = 0
    (DDIM), β̃ or β (Algorithm 2), whichever is the worst. All moments are exact.
    """
    for steps, chain in _usable(reference, model):
        ours = respond(chain, reference.normal_denoiser(_MEAN, _VARIANCE), model.dim)
        worst_mean = worst_deviation = 0.0
        for kind in ("zero", "small", "large"):
            mean, variance = _exact_moments(reference, chain, kind)
            worst_mean = max(worst_mean, abs(mean - _MEAN))
            worst_deviation = max(worst_deviation, abs(math.sqrt(variance) - math.sqrt(_VARIANCE)))
        n = sum(reference.rounding(t) + reference.noise_rounding(t) for t in chain.times)
        yield Case(abs(ours.mean - _MEAN), 2 * worst_mean + n, f"mean, {steps} steps")
        deviation = abs(math.sqrt(ours.variance) - math.sqrt(_VARIANCE))
        yield Case(deviation, 2 * worst_deviation + n, f"deviation, {steps} steps")


def _exact_moments(reference: Reference, chain: Chain, kind: str) -> tuple[float, float]:
    """Mean and variance by x_s = √ᾱ_s x̂_0 + √(1 − ᾱ_s − σ²) ε̂ + σ z at the chain's times, from N(0, I)."""
    mean, variance = 0.0, 1.0
    for k, t in enumerate(chain.times):
        s = chain.next(k)
        (a, b), (noise_s, noise_t) = np.sqrt(reference.signal[[s, t]]), reference.noise[[s, t]]
        beta = 1 - (b / a) ** 2
        small = noise_s / noise_t * beta
        added = {"zero": 0.0, "small": small, "large": beta if s else 0.0}[kind]
        # σ² = β has the mean that belongs to β̃.
        turn = math.sqrt(max(noise_s - (0.0 if kind == "zero" else small), 0.0) / noise_t)
        gain = b * _VARIANCE / (b**2 * _VARIANCE + noise_t)
        slope = a * gain + turn * (1 - b * gain)
        mean, variance = a * _MEAN + slope * (mean - b * _MEAN), slope**2 * variance + added
    return mean, variance


def _usable(reference: Reference, model: Subject) -> Iterator[tuple[int, Chain]]:
    """Chains whose times the schedule knows; `fewer_times` speaks of the others."""
    for steps, chain in _chains(reference, model):
        within = bool(chain.times) and all(1 <= t <= reference.T for t in chain.times)
        if within and all(chain.next(k) < t for k, t in enumerate(chain.times)):
            yield steps, chain
