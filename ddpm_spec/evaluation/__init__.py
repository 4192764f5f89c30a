"""What a trained model is worth: samples, the bound, distances between sets of images.

Samples and bound are drawn from keyed noise, see `ddpm_spec.noise`: the numbers of image i do not
depend on the batch it is in, on the process that draws it, or on what was drawn before.
"""
