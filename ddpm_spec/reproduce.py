"""`python -m ddpm_spec.reproduce TARGET`: a table or figure of the paper again; `--list` explains each."""

from ddpm_spec.reproduction.options import parse_reproduce
from ddpm_spec.terminal.commands import main

if __name__ == "__main__":
    main("ddpm_spec.reproduction.commands", "reproduce", parse_reproduce)
