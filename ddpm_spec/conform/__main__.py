"""`python -m ddpm_spec.conform TARGET`: judges an implementation of the paper; `--help` lists the options."""

from ddpm_spec.conform.options import parse_conform
from ddpm_spec.terminal.commands import main

if __name__ == "__main__":
    main("ddpm_spec.conform.commands", "conform", parse_conform)
