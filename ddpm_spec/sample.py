"""`python -m ddpm_spec.sample RUN`: draws images from a trained run; `--help` lists the options."""

import sys

from ddpm_spec.terminal.console import run_command


def _sample(args: list[str]) -> None:
    from ddpm_spec.evaluation.sampling import sample  # torch takes seconds; Ctrl-C works meanwhile

    sample(args)


def main() -> int:
    """Runs the command with the words of the command line; the exit code."""
    return run_command(_sample, sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
