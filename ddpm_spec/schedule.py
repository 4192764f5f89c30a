"""The variance schedule β_1..β_T and what follows from it, in float64 (§2 and §4).

The tables are filled by the functions of `formulas.forward`, step by step from ᾱ_0 = 1, so the
recursion that runs here is the one in the induction proof of Eq. 4. It runs on 50-digit decimals and is
rounded to float64 once: in float64 it would be off by 48 ulp after 4,000 steps of β_t = 0.01.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, localcontext

import torch
from torch import Tensor

from ddpm_spec.followups.ddim import skip
from ddpm_spec.followups.schedules import beta_between
from ddpm_spec.formulas import forward, schedule
from ddpm_spec.formulas.step import Step

__all__ = [
    "Schedule",
    "check_times",
    "constant_schedule",
    "cosine_schedule",
    "evenly",
    "is_traced",
    "linear_schedule",
    "quadratic_schedule",
]

DIGITS = 50


@dataclass(frozen=True, eq=False)
class Schedule:
    """β_t, ᾱ_t and 1 − ᾱ_t for t = 0..T as float64 tables; row 0 holds ᾱ_0 = 1.

    Built by `Schedule.from_betas` or one of the functions below. Every entry is the float64 number
    nearest to its exact value; 1 − ᾱ_t has its own recursion and never comes from a rounded ᾱ_t.
    """

    steps: Step
    """The float64 tables, each of shape (T + 1,), indexed by t; row 0 of β_t is a placeholder 0."""
    _casts: dict[tuple[torch.device, torch.dtype], Step] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def from_betas(cls, betas: Iterable[float]) -> "Schedule":
        """The schedule with these β_1..β_T.

        Raises:
            ValueError: if there is none, or one is not strictly between 0 and 1.
        """
        alpha_bar, one_minus_alpha_bar = Decimal(1), Decimal(0)
        rows = [(0.0, 1.0, 1.0, 0.0)]
        with localcontext(prec=DIGITS):
            for t, beta in enumerate(betas, start=1):
                if not 0 < beta < 1:
                    raise ValueError(f"beta_{t} = {beta} is outside (0, 1)")
                exact = Decimal(beta)
                alpha = forward.alpha(exact)
                alpha_bar = forward.alpha_bar(alpha, alpha_bar)
                one_minus_alpha_bar = forward.one_minus_alpha_bar(exact, one_minus_alpha_bar)
                rows.append((beta, float(alpha), float(alpha_bar), float(one_minus_alpha_bar)))
        if len(rows) == 1:
            raise ValueError("a schedule needs at least one beta")
        at_beta, at_alpha, bar, one_minus_bar = torch.tensor(rows, dtype=torch.float64).unbind(dim=1)
        return cls(Step(at_beta, at_alpha, bar, _before(bar), one_minus_bar, _before(one_minus_bar)))

    @property
    def T(self) -> int:
        """The number of steps."""
        return len(self.steps.beta) - 1

    def visiting(self, times: Sequence[int]) -> "Schedule":
        """The schedule of a chain of fewer and longer steps: step k leads from times[k−1] to the one before.

        `times`: of 1..T, ascending, the last T. ᾱ at these steps is the same; β is formed from the tables in
        float64, within 4u, and within 4(1−ᾱ_t)u where ᾱ_s is at least ½.

        Raises:
            ValueError: if they are no such times.
        """
        if list(times) != sorted({*times, self.T}) or times[0] < 1 or times[-1] > self.T:
            raise ValueError(f"times are {list(times)}; they must ascend in 1..{self.T} and end in {self.T}")
        visited = torch.tensor([0, 0, *times])
        at, earlier = (Step(*(table[rows] for table in self.steps)) for rows in (visited[1:], visited[:-1]))
        long = skip(at, earlier)
        # That β cancels where ᾱ is small, the other form of it where β is.
        beta = torch.where(earlier.alpha_bar <= 0.5, beta_between(at.alpha_bar, earlier.alpha_bar), long.beta)
        return Schedule(long._replace(beta=beta))

    def check(self, t: int | Tensor) -> None:
        """Refuse times that are not in 1..T.

        Tensors are checked as `check_times` says.

        Raises:
            ValueError: if t is not made of integers, or one of them is not in 1..T.
        """
        if isinstance(t, Tensor):
            check_times(t, self.T)
        elif not 1 <= t <= self.T:
            raise _no_time(t, self.T)

    def at(self, t: Tensor, *, like: Tensor) -> Step:
        """The quantities of step t, to be used in formulas on `like`.

        Args:
            t: integers in 1..T, 0-dimensional or of shape (B,).
            like: the data, of shape (B, …). Its device is used; its dtype where that is float32 or
                float64, else float32, so that coefficients are never formed in half precision.

        Returns:
            Each field of shape (B, 1, …, 1) with as many dimensions as `like`, or 0-dimensional. The
            float64 table is rounded once.

        Raises:
            ValueError: as `check`; if t has more than one dimension.
        """
        self.check(t)
        if t.ndim > 1:
            raise ValueError(f"t has shape {tuple(t.shape)}; give one time, or one for each example: (B,)")
        return self.rows(t, like=like)

    def rows(self, t: Tensor, *, like: Tensor) -> Step:
        """`at`, for a t that is known to be right: nothing is checked, and −1 would be taken for T."""
        dtype = like.dtype if like.dtype == torch.float64 else torch.float32
        key = (like.device, dtype)
        casts = self._casts.get(key)
        if casts is None:
            casts = Step(*(table.to(*key) for table in self.steps))
            if not is_traced():  # a tensor of a trace means nothing after it
                self._casts[key] = casts
        shape = t.shape + (1,) * (like.ndim - 1) if t.ndim else ()
        # Flat, since a 0-dimensional index would be read on the host: a GPU would stall.
        rows = t.reshape(-1)
        return Step(*(table[rows].reshape(shape) for table in casts))


LONGEST = 2**31 - 1
"""T of a network that does not know its own: no chain is longer."""


def check_times(t: Tensor, T: int = LONGEST) -> None:
    """Refuse times that are not in 1..T; without a T, those below 1.

    Times on a CUDA device are checked there, since reading them would make every step wait. A wrong one
    stops the program as an index out of range does: the device prints what is wrong, and one of the next
    calls raises. Nothing is checked while torch compiles, exports or traces, or where there are no numbers.

    Raises:
        ValueError: if t is not made of integers, or one of them is no such time.
    """
    if is_traced() or t.is_meta:
        return
    if t.dtype not in (torch.int64, torch.int32):  # torch takes uint8 and bool for masks
        raise ValueError(f"t is of {t.dtype}; times are integers of torch.int64, {_range(T)}")
    if t.is_cuda:
        right = (t.clamp(1, T) == t).all()
        torch._assert_async(right, f"t must be {_range(T)}: add 1 to a 0-based t")
    elif t.numel():
        low, high = (int(end) for end in t.aminmax())
        if low < 1 or high > T:
            raise _no_time(low if low < 1 else high, T)


def _no_time(t: int, T: int) -> ValueError:
    way_out = ": add 1 to a 0-based t" if t == 0 else ""
    return ValueError(f"t has {t} in it; times are {_range(T)}{way_out}")


def _range(T: int) -> str:
    return "from 1 on" if T == LONGEST else f"from 1 to {T}"


def is_traced() -> bool:
    """Whether torch compiles, exports, traces or maps what runs now, so that tensors may have no numbers."""
    return bool(
        torch.compiler.is_compiling()
        or torch._C._is_tracing()  # torch.jit.trace
        or torch._C._len_torch_dispatch_stack()  # make_fx, fake tensors
        or torch._C._are_functorch_transforms_active()  # vmap
    )


def _before(table: Tensor) -> Tensor:
    """What the table has one step earlier; row 0 keeps its own."""
    return torch.cat([table[:1], table[:-1]])


def evenly(T: int, steps: int) -> list[int]:
    """So many times of 1..T, ascending and evenly spread, the last of them T; `steps` is at most T."""
    return [round(T * k / steps) for k in range(1, steps + 1)]


def linear_schedule(T: int = 1000, beta_1: float = 1e-4, beta_T: float = 0.02) -> Schedule:
    """The paper's schedule (§4): β_t linear in t; the defaults are the paper's.

    Raises:
        ValueError: if T < 2 or a β_t leaves (0, 1).
    """
    return _schedule(schedule.linear_beta, T, beta_1, beta_T)


def quadratic_schedule(T: int = 1000, beta_1: float = 1e-4, beta_T: float = 0.02) -> Schedule:
    """√β_t linear in t, one of the two others that App. B mentions; it gives no end points.

    Raises:
        ValueError: as for `linear_schedule`.
    """
    return _schedule(schedule.quadratic_beta, T, beta_1, beta_T)


def constant_schedule(T: int = 1000, beta: float = 0.01) -> Schedule:
    """β_t the same for all t, the other one of App. B; it gives no value.

    Raises:
        ValueError: if T < 1 or β leaves (0, 1).
    """
    return Schedule.from_betas([beta] * T)


def cosine_schedule(T: int = 1000, s: float = 0.008, max_beta: float = 0.999) -> Schedule:
    """ᾱ_t a squared cosine (Nichol and Dhariwal 2021), β_t at most `max_beta`.

    Raises:
        ValueError: if T < 2 or s is not positive.
    """
    if T < 2:
        raise ValueError(f"T = {T}: a cosine schedule needs at least two steps")
    if s <= 0:
        raise ValueError(f"s = {s}: the offset of a cosine schedule is positive")
    betas = (schedule.cosine_beta(t, T, s) for t in range(1, T + 1))
    return Schedule.from_betas(min(beta, max_beta) for beta in betas)


def _schedule(beta: Callable[..., float], T: int, beta_1: float, beta_T: float) -> Schedule:
    if T < 2:
        raise ValueError(f"T = {T}: a schedule between two end points needs at least two steps")
    return Schedule.from_betas(beta(t, T, beta_1, beta_T) for t in range(1, T + 1))
