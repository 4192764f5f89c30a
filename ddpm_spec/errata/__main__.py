"""`python -m ddpm_spec.errata`: the slips of the paper, each with what its check measures."""

from ddpm_spec.terminal.commands import plain

if __name__ == "__main__":
    plain("errata", "ddpm_spec.errata.entries", "show")
