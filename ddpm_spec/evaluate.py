"""`python -m ddpm_spec.evaluate RUN|WEIGHTS`: measures a trained model; `--help` lists the options."""

from ddpm_spec.evaluation.options import parse_evaluate
from ddpm_spec.terminal.commands import main

if __name__ == "__main__":
    main("ddpm_spec.evaluation.commands", "evaluate", parse_evaluate)
