"""`python -m ddpm_spec.benchmark`: our speed and memory beside diffusers'; `--help` lists the options."""

from ddpm_spec.terminal.commands import main

if __name__ == "__main__":
    main("ddpm_spec.benchmark.commands", "benchmark")
