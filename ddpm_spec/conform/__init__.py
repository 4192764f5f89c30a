"""Judge anybody's implementation: `python -m ddpm_spec.conform TARGET`."""
