"""`python -m ddpm_spec.coding`: Algorithms 3 and 4 on grey levels; `--help` says more."""

import sys

from ddpm_spec.terminal.commands import words
from ddpm_spec.terminal.console import run_command


def _coding(args: list[str]) -> None:
    words(args, "coding")
    from ddpm_spec.coding.commands import coding  # torch takes seconds; Ctrl-C works meanwhile

    coding()


if __name__ == "__main__":
    sys.exit(run_command(_coding, sys.argv[1:]))
