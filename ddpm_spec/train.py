"""`python -m ddpm_spec.train`: trains the paper's model; `--help` lists every setting."""

from ddpm_spec.terminal.commands import main

if __name__ == "__main__":
    main("ddpm_spec.training.commands", "train")
