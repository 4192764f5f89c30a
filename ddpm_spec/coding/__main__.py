"""`python -m ddpm_spec.coding`: Algorithms 3 and 4 on grey levels."""

from ddpm_spec.terminal.commands import plain

if __name__ == "__main__":
    plain("coding", "ddpm_spec.coding.commands", "coding")
