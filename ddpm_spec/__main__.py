"""`python -m ddpm_spec`: lists the commands."""

import difflib
import sys

from ddpm_spec.errors import InputError
from ddpm_spec.terminal.commands import COMMANDS
from ddpm_spec.terminal.console import run_command


def _list(args: list[str]) -> None:
    """Prints every command with what it does.

    Raises:
        InputError: for any word but a request for help; it names the right form.
    """
    for word in args:
        if word in ("-h", "--help"):
            break
        close = difflib.get_close_matches(word, COMMANDS, n=1)
        right = f"write python -m ddpm_spec.{close[0]}" if close else "python -m ddpm_spec lists the commands"
        raise InputError(f"python -m ddpm_spec {word} is not a command; {right}")
    print("usage: python -m ddpm_spec.COMMAND\n")
    for name, does in COMMANDS.items():
        print(f"  {name:9}  {does}")
    print("\nEach has --help and --version; --debug shows where an unexpected error came from.")


if __name__ == "__main__":
    sys.exit(run_command(_list, sys.argv[1:]))
