"""Lower bounds of the loss that hold for every network: `python -m ddpm_spec.floors` prints them."""
