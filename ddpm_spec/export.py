"""`python -m ddpm_spec.export RUN OUT`: writes a run as a diffusers folder; `--help` lists the options."""

from ddpm_spec.interop.options import parse_export
from ddpm_spec.terminal.commands import main

if __name__ == "__main__":
    main("ddpm_spec.interop.export", "export", parse_export)
