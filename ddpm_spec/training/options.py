"""From the words on the command line to settings, with errors of one line."""

import contextlib
import dataclasses
import difflib
import io
import itertools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, TypeVar

import tyro

from ddpm_spec.data import refuse_unused
from ddpm_spec.errors import InputError
from ddpm_spec.training.presets import preset
from ddpm_spec.training.settings import Settings

__all__ = [
    "Count",
    "Folder",
    "Name",
    "Number",
    "SampleOptions",
    "TrainOptions",
    "parse",
    "parse_sample",
    "parse_train",
]

Options = TypeVar("Options")

# What may be left away: else its help would show Python's None, as a choice and as the default.
Folder = Annotated[Path | None, tyro.conf.arg(metavar="FOLDER", help_behavior_hint="")]
Name = Annotated[str | None, tyro.conf.arg(metavar="STR", help_behavior_hint="")]
Count = Annotated[int | None, tyro.conf.arg(metavar="INT", help_behavior_hint="")]
Number = Annotated[float | None, tyro.conf.arg(metavar="FLOAT", help_behavior_hint="")]


@dataclass(frozen=True)
class TrainOptions:
    """Trains the model of the paper, draws samples and writes a report into a new run folder.

    The defaults are those of the preset. Behind each is the paper's value, where it has one.
    """

    preset: str = "digits"
    """Where the defaults come from: digits, fashion-mnist, cifar10, celeba-hq-256, lsun-bedroom,
    lsun-bedroom-large, lsun-church, lsun-cat. Not verified, since there was no network to try them: the
    names on the hub that cifar10 and celeba-hq-256 fetch, and the names of LSUN's folders."""
    run: Folder = None
    """Folder for the run, new or empty. Without it: runs/<preset>-<n>, n the next free number."""
    resume: Folder = None
    """Run folder to go on with, from its last checkpoint and with its settings. Of these, only --steps,
    --save-every, --sample-every, --accumulate, --checkpointing and the options of source, evaluation and
    machine may be given anew, and where the squared error is trained, --convention and --variance."""
    settings: Annotated[Settings, tyro.conf.OmitArgPrefixes, tyro.conf.arg(name="")] = field(
        default_factory=Settings
    )


@dataclass(frozen=True)
class SampleOptions:
    """Draws images from a trained run: by Algorithm 2, in fewer steps, or by DDIM."""

    run: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
    """A run folder of ddpm_spec.train."""
    n: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 256
    """How many images."""
    seed: int = 0
    """Image i is a function of (seed, i), however many are drawn and in whatever batches."""
    steps: Count = None
    """Steps to take, evenly spread over 1..T. Without it: all T. Paper: all."""
    eta: Number = None
    """η of DDIM, in [0, 1]: 0 adds no noise, 1 is the variance beta_tilde. Without it: Algorithm 2 with the
    run's own variance. Paper: Algorithm 2."""
    batch: int = 256
    """Images in one network call."""
    weights: str = "ema"
    """ema, the averaged weights, or raw. Paper: ema."""
    out: Folder = None
    """Folder for samples.npy and samples.png, new or empty. Without it: RUN/samples-<k>, the next free k."""


def parse_train(args: list[str]) -> TrainOptions:
    """The options of `ddpm_spec.train`, checked.

    Raises:
        InputError: for an unknown preset or option, or a value that is no value or out of range.
    """
    name, resume = _given(args, "--preset"), _given(args, "--resume")
    if resume is not None:
        for other in ("--preset", "--run"):
            if _given(args, other) is not None:
                raise InputError(f"--resume goes on in the folder it names; leave {other} away")
        base = Settings.load(Path(resume) / "settings.json")
    else:
        base = preset(name or "digits")
    default = TrainOptions(preset=name or "digits", settings=base)
    options = parse(TrainOptions, args, default, "python -m ddpm_spec.train")
    options.settings.check()
    _refuse_unused(base, options.settings)
    if resume is not None:
        _refuse_changes(base, options.settings)
    return options


def parse_sample(args: list[str]) -> SampleOptions:
    """The options of `ddpm_spec.sample`, checked.

    Raises:
        InputError: as for `parse_train`.
    """
    options = parse(SampleOptions, args, None, "python -m ddpm_spec.sample")
    for name in ("n", "batch"):
        if getattr(options, name) < 1:
            raise InputError(f"--{name} is {getattr(options, name)}; it must be at least 1")
    if options.weights not in ("ema", "raw"):
        raise InputError(f"--weights is {options.weights}; it must be ema or raw")
    if not -(2**63) <= options.seed < 2**63:
        raise InputError(f"--seed is {options.seed}; it must be an integer of 64 bits")
    if options.eta is not None and not 0 <= options.eta <= 1:
        raise InputError(f"--eta is {options.eta}; it must be from 0 to 1")
    return options


def _given(args: list[str], flag: str) -> str | None:
    """The word behind a flag: presets and saved settings decide the defaults of all other options."""
    for word, following in itertools.zip_longest(args, args[1:]):
        if word == flag:
            return following
        if word.startswith(f"{flag}="):
            return word.partition("=")[2]
    return None


def parse(kind: type[Options], args: list[str], default: Options | None, prog: str) -> Options:
    """The options of one command.

    Raises:
        InputError: in one line, where tyro prints a box or an option is unknown.
    """
    said = io.StringIO()
    given: dict[str, Any] = {} if default is None else {"default": default}
    try:
        with contextlib.redirect_stderr(said):
            options, unknown = tyro.cli(kind, args=args, prog=prog, return_unknown_args=True, **given)
    except SystemExit as stop:
        if not stop.code:
            raise  # --help
        raise InputError(f"{_message(said.getvalue())}; see {prog} --help") from None
    if unknown:
        close = difflib.get_close_matches(unknown[0], _flags(kind), n=1)
        hint = f"did you mean {close[0]}?" if close else f"see {prog} --help"
        raise InputError(f"there is no option {unknown[0]}; {hint}")
    return options


def _message(printed: str) -> str:
    """The sentence inside the box that tyro prints: what stands between its title and the next rule.

    Drawn in ASCII, the box has a rule below its title too.
    """
    lines = [line.strip(" │|╭╮╰╯─-") for line in printed.strip().splitlines()]
    body = itertools.dropwhile(lambda line: not line, lines[1:])
    return " ".join(itertools.takewhile(bool, body)).rstrip(".")


def _flags(kind: Any) -> list[str]:
    flags = []
    for part in dataclasses.fields(kind):
        inner = getattr(part.type, "__origin__", part.type)
        inner = next((a for a in getattr(part.type, "__args__", ()) if dataclasses.is_dataclass(a)), inner)
        flags += _flags(inner) if dataclasses.is_dataclass(inner) else [f"--{part.name.replace('_', '-')}"]
    return flags


def _refuse_unused(base: Settings, asked: Settings) -> None:
    """What was given and would do nothing; a default may."""

    def given(group: str) -> set[str]:
        before, now = vars(getattr(base, group)), vars(getattr(asked, group))
        return {name for name in now if now[name] != before[name]}

    refuse_unused(asked.data, sorted(given("source")), ", or did you mean --data folder?")
    if asked.process.schedule == "cosine" and given("process") & {"beta_1", "beta_T"}:
        raise InputError(
            "cosine has neither --beta-1 nor --beta-T; leave them away, or use --schedule linear"
        )


def _refuse_changes(saved: Settings, asked: Settings) -> None:
    """A resumed run keeps what its updates were made with."""
    new = asked.lasting()
    for name, value in saved.lasting().items():
        if new.get(name, value) != value:  # absent under another objective, which is refused itself
            flag = f"--{name.replace('_', '-')}"
            raise InputError(
                f"a resumed run keeps its settings, here {flag} {value}; "
                f"leave {flag} away, or start a new run"
            )
