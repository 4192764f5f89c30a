"""`python -m ddpm_spec.floors`: lower bounds of the loss that hold for every network."""

from ddpm_spec.terminal.commands import plain

if __name__ == "__main__":
    plain("floors", "ddpm_spec.floors.table", "show")
