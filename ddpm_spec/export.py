"""`python -m ddpm_spec.export RUN OUT`: writes a run as a diffusers folder; `--help` lists the options."""

import sys

from ddpm_spec.terminal.console import run_command


def _export(args: list[str]) -> None:
    from ddpm_spec.interop.export import export  # torch takes seconds; Ctrl-C works meanwhile

    export(args)


def main() -> int:
    """Runs the command with the words of the command line; the exit code."""
    return run_command(_export, sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
