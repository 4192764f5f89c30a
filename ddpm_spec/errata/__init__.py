"""The slips of the paper, each with a check: `python -m ddpm_spec.errata` prints what they measure."""
