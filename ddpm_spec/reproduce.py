"""`python -m ddpm_spec.reproduce TARGET`: a table or figure of the paper again; `--list` explains each."""

import sys

from ddpm_spec.terminal.console import run_command


def _reproduce(args: list[str]) -> None:
    from ddpm_spec.reproduction.commands import reproduce  # torch takes seconds; Ctrl-C works meanwhile

    reproduce(args)


def main() -> int:
    """Runs the command with the words of the command line; the exit code."""
    return run_command(_reproduce, sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
