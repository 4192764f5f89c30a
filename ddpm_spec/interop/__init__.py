"""Weights that others have trained, and runs for others to use.

`open_weights` reads a diffusers folder, a hub id or a file in the layout of the PyTorch ports;
`ddpm_spec.export` writes a run as a diffusers folder. Neither needs diffusers.
"""

from ddpm_spec.interop.weights import OpenWeights, open_weights

__all__ = ["OpenWeights", "open_weights"]
