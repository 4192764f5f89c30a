"""Every choice of a run, as options with defaults.

A preset is a `Settings`; options on the command line replace single fields; what results is saved
with the run as `settings.json`. The docstring under a field is its `--help`.

Runs outlive versions. Who adds a field gives it, in these classes, the default that was in force before the
field existed: that is what an older run is read with, which lacks it. A preset may choose otherwise.
"""

import dataclasses
import functools
import itertools
import json
import math
import os
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args, get_type_hints

from ddpm_spec.choices import LEARNED, Convention, Prediction, Variance
from ddpm_spec.data.source import DataName, Source
from ddpm_spec.errors import InputError
from ddpm_spec.runs.folders import write_atomically
from ddpm_spec.version import __version__

if TYPE_CHECKING:
    from ddpm_spec.diffusion import Diffusion
    from ddpm_spec.schedule import Schedule
    from ddpm_spec.unet import UNet

__all__ = [
    "BEFORE",
    "SEEDS",
    "Device",
    "Dtype",
    "Evaluation",
    "Machine",
    "Network",
    "Process",
    "ScheduleName",
    "Settings",
    "Training",
    "refuse_out_of_range",
    "refuse_pictures",
    "without_dashes",
]


ScheduleName = Literal["linear", "quadratic", "constant", "cosine"]
Device = Literal["auto", "cpu", "cuda"]
Dtype = Literal["float32", "bfloat16"]


@dataclass(frozen=True)
class Network:
    """The U-Net of App. B."""

    channels: int = 16
    """Width at the finest level. Paper: 128."""
    multipliers: tuple[int, ...] = (1, 3)
    """Width of each level, finest first, as multiples of channels. Paper: 1 2 2 2 for CIFAR10."""
    blocks: int = 1
    """Residual blocks a level on the way down, one more on the way up. Paper: 2."""
    attention: tuple[int, ...] = (4,)
    """Sides of the feature maps with self-attention; the middle always has it. Paper: 16."""
    dropout: float = 0.0
    """Rate inside the residual blocks. Paper: 0.1 for CIFAR10, 0 elsewhere."""
    groups: int = 8
    """Groups of every group norm; must divide channels. Paper: 32."""
    checkpointing: bool = False
    """Compute activations again in the backward pass instead of keeping them: the same gradients in less
    memory, a third more work."""


@dataclass(frozen=True)
class Process:
    """The forward and the reverse process."""

    T: int = 1000
    """Number of steps. Paper: 1000."""
    schedule: ScheduleName = "linear"
    """How beta_t goes from beta-1 to beta-T; constant needs the two equal, cosine has neither. Paper: linear;
    quadratic and constant were tried."""
    beta_1: float = 1e-4
    """First variance of the schedule. Paper: 1e-4."""
    beta_T: float = 0.02  # noqa: N815 (the paper's name)
    """Last variance of the schedule. Paper: 0.02."""
    prediction: Prediction = "eps"
    """What the network predicts: the noise, the image, the posterior mean, or the velocity v of Salimans and
    Ho 2022. Paper: eps; x_0 and mu were tried."""
    variance: Variance = "beta"
    """The variance of a reverse step: beta_t, the posterior's, beta_tilde, or learned by the network, with
    --objective bound or hybrid: freely, or, as learned_range, between the two (Nichol and Dhariwal 2021).
    Paper: either of the fixed ones; learned in Table 2."""
    convention: Convention = "paper"
    """Sampling and bound as the paper prints them, or as its official code has them: the implied x_0
    clipped to [-1, 1], a tanh for the normal cdf, another variance at t = 1."""


@dataclass(frozen=True)
class Training:
    """Algorithm 1."""

    objective: Literal["simple", "bound", "hybrid"] = "simple"
    """The squared error of what is predicted, the terms of the bound, Eq. 5, or the hybrid of Nichol and
    Dhariwal 2021: the error for the mean, the bound for the variance. Paper: simple; bound in Table 2."""
    steps: int = 1500
    """Updates to make. Paper: 800,000 for CIFAR10."""
    batch: int = 64
    """Images in one update, over all processes together. Paper: 128; 64 for 256×256."""
    accumulate: int = 1
    """Parts in which each process takes its share of a batch, one after the other: less memory, the same
    update. Paper: 1."""
    lr: float = 2e-3
    """Learning rate of Adam. Paper: 2e-4; 2e-5 for 256×256."""
    warmup: int = 100
    """Updates until the learning rate is reached, linearly from 0. Paper: none; its code: 5000."""
    max_norm: float = 1.0
    """Gradients longer than this are shortened to it. Paper: no such limit; its code: 1."""
    ema: float = 0.997
    """Decay of the averaged weights. Paper: 0.9999."""
    flip: bool = False
    """Mirror images at random. Paper: yes for CIFAR10; a mirrored digit is no digit."""
    seed: int = 0
    """Every random number of the run follows from it."""
    save_every: int = 500
    """Updates between two checkpoints; one is always saved at the end."""
    sample_every: int = 0
    """Updates between two grids of samples drawn on the way; 0: none."""


@dataclass(frozen=True)
class Evaluation:
    """What is measured when training ends."""

    samples: int = 256
    """Images to draw by Algorithm 2 for the figures of merit. Paper: 50,000."""
    bound_images: int = 64
    """Held-out images for the bound, T network calls each; evenly spread. Paper: all of the test set."""
    sample_batch: int = 256
    """Images in one network call while sampling. Changes no number drawn."""


@dataclass(frozen=True)
class Machine:
    """Where it runs; a resumed run may change these, a bit-exact one does not."""

    device: Device = "auto"
    """Device to compute on; auto takes a GPU if there is one. Paper: TPU v3-8."""
    dtype: Dtype = "float32"
    """What the network computes in: float32, or bfloat16 by autocast. Paper: float32."""
    threads: int = 0
    """CPU threads; 0 takes what torch takes, one a core."""
    compile: Literal["auto", "on", "off"] = "auto"
    """torch.compile on the network; auto: on a GPU."""
    workers: int = 4
    """Processes that decode images, where they are not kept decoded; 0: none."""


@dataclass(frozen=True)
class Settings:
    """Everything that decides a run's numbers."""

    data: DataName = "digits"
    """The images. digits: 1,797 handwritten ones of scikit-learn, 8×8 with 17 grey levels. fashion-mnist:
    70,000 of clothes, 28×28, from Debian's package dataset-fashion-mnist. hub: a set of the Hugging Face hub.
    folder: a folder of image files. lsun: LSUN's LMDB folders."""
    source: Source = field(default_factory=Source)
    network: Network = field(default_factory=Network)
    process: Process = field(default_factory=Process)
    training: Training = field(default_factory=Training)
    evaluation: Evaluation = field(default_factory=Evaluation)
    machine: Machine = field(default_factory=Machine)

    def unet(self, image_channels: int, image_size: int) -> "UNet":
        """The network, for images of this many channels and this side.

        Raises:
            InputError: if they cannot be halved as often as it has levels.
        """
        from ddpm_spec.unet import UNet  # torch takes seconds, and what is refused needs none

        try:
            return UNet(
                in_channels=image_channels,
                out_channels=image_channels * (2 if self.process.variance in LEARNED else 1),
                image_size=image_size,
                **asdict(self.network),
            )
        except ValueError as error:
            raise InputError(str(error)) from None

    def diffusion(self) -> "Diffusion":
        """The process."""
        from ddpm_spec.diffusion import Diffusion  # as above

        p = self.process
        schedule = _schedule(p.schedule, p.T, p.beta_1, p.beta_T)
        return Diffusion(schedule, p.variance, p.prediction, p.convention)

    def check(self, *, saved: bool = False) -> None:
        """Refuses a value out of range, and values without meaning together, naming the option.

        Args:
            saved: they are those of a run, which an older version may have made with what is refused now.

        Raises:
            InputError: with what would be right.
        """
        for group in (
            self.source,
            self.network,
            self.process,
            self.training,
            self.evaluation,
            self.machine,
        ):
            for name, value in vars(group).items():
                if name in _RULES and not (saved and name == "seed"):
                    refuse_out_of_range(name, value)
        n, p, t = self.network, self.process, self.training
        if n.channels % 2 or n.channels % n.groups:
            raise InputError(
                f"--channels is {n.channels}; it must be even and a multiple of --groups, {n.groups}"
            )
        if p.beta_1 > p.beta_T and p.schedule != "cosine":  # which has neither
            raise InputError(
                f"--beta-1 is {p.beta_1} and --beta-T is {p.beta_T}; the schedule must not decrease"
            )
        if p.schedule == "constant" and p.beta_1 != p.beta_T:
            raise InputError(
                f"--schedule is constant, but --beta-1 is {p.beta_1} and --beta-T is {p.beta_T}; "
                "it needs the two equal, say 0.01"
            )
        if p.variance in LEARNED and t.objective == "simple":
            raise InputError(
                f"--variance is {p.variance}, but --objective is simple, and a squared error gives a "
                "variance no gradient; use --objective hybrid or bound"
            )
        if t.objective == "hybrid" and p.variance not in LEARNED:
            raise InputError(
                f"--objective is hybrid, but --variance is {p.variance}, which has nothing to learn; "
                "use --variance learned_range"
            )
        if t.batch % t.accumulate:
            raise InputError(
                f"--batch is {t.batch} and --accumulate is {t.accumulate}; the first must be a multiple "
                "of the second"
            )

    def lasting(self) -> dict[str, Any]:
        """What enters the updates, by option: a resumed run keeps it. The images have their own digest."""
        groups = (self.network, self.process, self.training)
        values = {name: value for group in groups for name, value in vars(group).items()}
        may_change = _MAY_CHANGE | (
            {"variance", "convention"} if self.training.objective == "simple" else set()
        )
        return {"data": self.data} | {k: v for k, v in values.items() if k not in may_change}

    def save(self, path: Path) -> None:
        """As JSON: the version of this package, then the fields in their order."""
        content = {"version": __version__, **asdict(self)}
        write_atomically(path, (json.dumps(content, indent=2) + "\n").encode())

    @classmethod
    def load(cls, path: Path) -> "Settings":
        """What `save` wrote, in this version or an older one, checked.

        A field that the file lacks is newer than the run and has its default.

        Raises:
            InputError: if the file is missing, damaged, has a field that is unknown here, or was edited to
                what no run can have.
        """
        try:
            content = _object(path.read_text(encoding="utf-8"))
            version = content.pop("version", None)
            if unknown := _unknown(cls, content):
                raise InputError(
                    f"{path} has a field {unknown}, which ddpm_spec {__version__} does not know; "
                    + (f"use version {version}, which wrote it" if version else "take it out, or restore it")
                )
            settings: Settings = _from_json(cls, content, "it")
        except OSError as error:
            raise InputError(
                f"{path.parent} is not a run folder: {path.name} cannot be read ({error.strerror})"
            ) from None
        except ValueError as error:
            raise InputError(f"{path} is damaged ({error}); restore it, or start a new run") from None
        try:
            settings.check(saved=True)
        except InputError as error:
            raise InputError(f"{path}: {without_dashes(str(error))}") from None
        return settings


@functools.lru_cache(maxsize=8)
def _schedule(name: str, T: int, beta_1: float, beta_T: float) -> "Schedule":
    """The tables, made once for all that a command does with them."""
    from ddpm_spec import schedule  # as above

    if name == "constant":
        return schedule.constant_schedule(T, beta_1)
    if name == "cosine":
        return schedule.cosine_schedule(T)
    make = schedule.linear_schedule if name == "linear" else schedule.quadratic_schedule
    return make(T, beta_1, beta_T)


_MAY_CHANGE = {"steps", "save_every", "sample_every", "accumulate", "checkpointing"}
"""What does not enter the updates already made; a squared error knows neither variance nor convention."""


BEFORE: dict[str, Any] = {
    name: list(value) if isinstance(value, tuple) else value
    for group in (Network(), Process(), Training())
    for name, value in vars(group).items()
}
"""What an update was made with before there was a field to say so, as JSON has it."""


def refuse_pictures(data: str, path: str, hint: str = "did you mean --data folder?") -> None:
    """Refuses to look for a set of the hub in a folder of pictures, which lacks what such a set has.

    Raises:
        InputError: with the hint behind it.
    """
    if data == "hub" and os.path.isdir(path):
        files = [file.suffix.lower() for file in itertools.islice(Path(path).rglob("*.*"), 1000)]
        if not {".parquet", ".arrow"}.intersection(files) and {".png", ".jpg", ".jpeg"}.intersection(files):
            raise InputError(f"{path} is a folder of pictures here; {hint}")


def refuse_out_of_range(name: str, value: Any, rule: str = "") -> None:
    """Refuses a value of the option `name`; the rule is its own, or that of another.

    Raises:
        InputError: naming the option, with what would be right.
    """
    holds, right = _RULES[rule or name]
    if not holds(value):
        raise InputError(f"--{name.replace('_', '-')} is {_shown(value)}; it must be {right}")


def _shown(value: Any) -> str:
    return (" ".join(map(str, value)) or "none") if isinstance(value, tuple) else str(value)


def without_dashes(line: str) -> str:
    """What `check` says of options, said of the fields in a file."""
    return re.sub(r"--(\w[\w-]*)", lambda option: option[1].replace("-", "_"), line)


def _object(text: str) -> dict[str, Any]:
    try:
        values = json.loads(text)
    except ValueError:
        raise ValueError("it is not JSON") from None
    if not isinstance(values, dict):
        raise ValueError(f"it is {values!r}")
    return values


def _unknown(cls: type[Any], values: dict[str, Any]) -> str:
    """The first field that this dataclass, or one inside it, has not, as `training.momentum`; or nothing."""
    types = get_type_hints(cls)
    for name, value in values.items():
        if name not in types:
            return name
        if dataclasses.is_dataclass(types[name]) and isinstance(value, dict):
            inner = _unknown(types[name], value)
            if inner:
                return f"{name}.{inner}"
    return ""


def _from_json(cls: type[Any], values: Any, name: str) -> Any:
    """The dataclass of these values, each of its type; what is absent has its default."""
    types = get_type_hints(cls)
    if not isinstance(values, dict):
        raise ValueError(f"{name} is {values!r}")
    return cls(**{name: _value(types[name], value, name) for name, value in values.items()})


def _value(kind: Any, value: Any, name: str) -> Any:
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return _from_json(kind, value, name)
    choices = get_args(kind)
    if choices[1:] == (...,) and isinstance(value, list):
        return tuple(_value(choices[0], item, f"an item of {name}") for item in value)
    if value not in choices if choices else type(value) is not kind:
        raise ValueError(f"{name} is {value!r}")
    return value


def _at_least(low: int) -> tuple[Callable[[Any], bool], str]:
    return lambda x: x >= low, f"at least {low}"


def _from_to(low: int, high: int) -> tuple[Callable[[Any], bool], str]:
    return lambda x: low <= x <= high, f"from {low} to {high}"


SEEDS = 2**32
"""Seeds are below this: NumPy and scikit-learn, which judge the samples, take no others."""

# Where a value has an upper limit here, what lies above it would only hang or exhaust the machine.
_RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "channels": _from_to(4, 8192),
    "multipliers": (
        lambda x: bool(x) and 1 <= min(x) <= max(x) <= 1024,
        "one whole number a level, each from 1 to 1024",
    ),
    "blocks": _from_to(1, 1000),
    "groups": _at_least(1),
    "dropout": (lambda x: 0 <= x < 1, "at least 0 and below 1"),
    "T": _from_to(2, 1_000_000),
    "beta_1": (lambda x: 0 < x < 1, "between 0 and 1"),
    "beta_T": (lambda x: 0 < x < 1, "between 0 and 1"),
    "steps": _from_to(1, 10**9),
    "batch": _from_to(1, 10**6),
    "lr": (lambda x: 0 < x < math.inf, "above 0"),
    "warmup": _at_least(0),
    "max_norm": (lambda x: x > 0, "above 0 (inf for no limit)"),
    "ema": (lambda x: 0 <= x < 1, "at least 0 and below 1"),
    "seed": _from_to(0, SEEDS - 1),
    "accumulate": _at_least(1),
    "save_every": _at_least(1),
    "sample_every": _at_least(0),
    "sample_batch": _at_least(1),
    "samples": _from_to(2, 10**7),
    "n": _from_to(1, 10**7),
    "bound_images": _at_least(2),
    "threads": _from_to(0, 1024),
    "workers": _from_to(0, 1024),
    "image_size": _from_to(0, 2**16),
    "rounds": _from_to(2, 10**6),
    "cache_gb": _at_least(0),
}
