"""The options of `ddpm_spec.train`: those of the run, and its settings."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from ddpm_spec.data.source import refuse_unused
from ddpm_spec.errors import InputError
from ddpm_spec.runs.presets import preset
from ddpm_spec.runs.settings import Settings, refuse_pictures
from ddpm_spec.terminal.options import Folder, given, parse

__all__ = ["TrainOptions", "parse_train"]


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


def parse_train(args: list[str]) -> TrainOptions:
    """The options of `ddpm_spec.train`, checked.

    Raises:
        InputError: for an unknown preset or option, or a value that is no value or out of range.
    """
    name, resume = given(args, "--preset"), given(args, "--resume")
    if resume is not None:
        for other in ("--preset", "--run"):
            if given(args, other) is not None:
                raise InputError(f"--resume goes on in the folder it names; leave {other} away")
        base = Settings.load(Path(resume) / "settings.json")
    else:
        base = preset(name or "digits")
    default = TrainOptions(preset=name or "digits", settings=base)
    options = parse(TrainOptions, args, default, "python -m ddpm_spec.train")
    options.settings.check(saved=resume is not None)
    _refuse_unused(base, options.settings, args)
    if resume is not None:
        _refuse_changes(base, options.settings)
    return options


def _refuse_unused(base: Settings, asked: Settings, args: list[str]) -> None:
    """What was given and would do nothing; a default may."""
    before, now = vars(base.source), vars(asked.source)
    changed = sorted(name for name in now if now[name] != before[name])
    if "path" in changed:
        refuse_pictures(asked.data, asked.source.path)
    refuse_unused(asked.data, changed, ", or did you mean --data folder?")
    for flag in ("--beta-1", "--beta-T"):
        if asked.process.schedule == "cosine" and (value := given(args, flag)) is not None:
            raise InputError(
                f"--schedule is cosine, which has no {flag} (here {value}); "
                f"leave {flag} away, or use --schedule linear"
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
