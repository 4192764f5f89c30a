"""Every formula of the paper, written once.

The functions take the paper's symbols and any number type that `ddpm_spec.ops` knows. Trained on
tensors, proved on symbols, bounded on 50 digits and printed as LaTeX, it is the same function each
time, so that what is proved is what trains.

What belongs to one time step (β_t, ᾱ_t, …) travels as one `Step`, named `at` where it is an
argument. Nothing here names a number type, and no constant is a float.
"""
