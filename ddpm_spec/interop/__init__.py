"""Weights that others have trained, and runs for others to use.

`weights` reads a diffusers folder, a hub id or a file in the layout of the PyTorch ports;
`ddpm_spec.export` writes a run as a diffusers folder. Neither needs diffusers.
"""
