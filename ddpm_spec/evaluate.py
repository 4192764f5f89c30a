"""`python -m ddpm_spec.evaluate RUN|WEIGHTS`: measures a trained model; `--help` lists the options."""

import sys

from ddpm_spec.terminal.console import run_command


def _evaluate(args: list[str]) -> None:
    from ddpm_spec.evaluation.commands import evaluate  # torch takes seconds; Ctrl-C works meanwhile

    evaluate(args)


def main() -> int:
    """Runs the command with the words of the command line; the exit code."""
    return run_command(_evaluate, sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
