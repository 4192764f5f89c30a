"""`python -m ddpm_spec.sample RUN`: draws images from a trained run; `--help` lists the options."""

from ddpm_spec.evaluation.options import parse_sample
from ddpm_spec.terminal.commands import main

if __name__ == "__main__":
    main("ddpm_spec.evaluation.sampling", "sample", parse_sample)
