"""`python -m ddpm_spec.train`: trains the paper's model; `--help` lists every setting."""

from ddpm_spec.terminal.commands import main
from ddpm_spec.training.options import parse_train

if __name__ == "__main__":
    main("ddpm_spec.training.commands", "train", parse_train)
