"""`python -m ddpm_spec.train`: trains the paper's model; `--help` lists every setting."""

import sys

from ddpm_spec.terminal.console import run_command


def _train(args: list[str]) -> None:
    from ddpm_spec.training.commands import train  # torch takes seconds; Ctrl-C works meanwhile

    train(args)


def main() -> int:
    """Runs the command with the words of the command line; the exit code."""
    return run_command(_train, sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
