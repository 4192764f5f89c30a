"""The commands of the package: what each does, and how it starts."""

import sys
from collections.abc import Callable
from importlib import import_module
from typing import NoReturn

from ddpm_spec.errors import InputError
from ddpm_spec.terminal.console import LAUNCHED, run_command

__all__ = ["COMMANDS", "main", "plain", "words"]

COMMANDS = {
    "train": "trains the paper's model, on handwritten digits or on another set",
    "sample": "draws images from a run: by Algorithm 2, in fewer steps, or by DDIM",
    "evaluate": "measures a run or published weights: the bound, and distances of samples to real images",
    "reproduce": "makes a table or figure of the paper, ours beside theirs, or what came after it",
    "export": "writes a run as a diffusers pipeline",
    "benchmark": "races training and sampling against diffusers",
    "conform": "judges anybody's implementation by the laws, and says what its deviations cost",
    "floors": "prints lower bounds of the loss that hold for every network",
    "errata": "prints the slips of the paper, each with what its check measures",
    "coding": "sends grey levels by Algorithms 3 and 4, and prints the bits of every step",
    "evidence": "compares the record of what was checked with another, in a checkout",
}
"""`python -m ddpm_spec.NAME` for every NAME, and what it does."""


def main(module: str, name: str, parse: Callable[[list[str]], object] | None = None) -> NoReturn:
    """Runs the command that is the function of this name in this module, and exits with its status.

    `parse` reads its options before the module is imported: who asks for help, or has to be refused, need
    not wait for torch. Under a launcher the first process alone reads them, once all have met.
    """

    def command(args: list[str]) -> int | None:
        if parse and not LAUNCHED:
            parse(args)
        # torch takes seconds; Ctrl-C works meanwhile
        status: int | None = getattr(import_module(module), name)(args)
        return status

    sys.exit(run_command(command, sys.argv[1:]))


def plain(command: str, module: str, name: str) -> NoReturn:
    """Runs a command that takes no options: the function of this name in this module."""

    def run(args: list[str]) -> None:
        words(args, command)
        getattr(import_module(module), name)()  # torch takes seconds; Ctrl-C works meanwhile

    sys.exit(run_command(run, sys.argv[1:]))


def words(args: list[str], command: str, *wanted: str) -> list[str]:
    """What is given to a command that has no options: a word for each one wanted.

    Raises:
        InputError: if it is anything else.
        SystemExit: for --help, when it is printed.
    """
    usage = " ".join((f"python -m ddpm_spec.{command}", *wanted))
    if {"-h", "--help"}.intersection(args):
        does = COMMANDS[command]
        print(f"usage: {usage}\n\n{does[0].upper()}{does[1:]}.")
        raise SystemExit(0)
    see = f"see python -m ddpm_spec.{command} --help"
    for unknown in [word for word in args if word.startswith("-")] or args[len(wanted) :]:
        raise InputError(f"there is no option {unknown}; {see}")
    for missing in wanted[len(args) :]:
        raise InputError(f"{missing} is missing; {see}")
    return args
