"""Algorithms 3 and 4 (§4.3): sending an image through the diffusion process, and the bits that it takes.

The paper needs a procedure that sends a draw from q to someone who knows p in about D_KL(q ‖ p) bits, and
names minimal random coding. `draws` has one that is exact: the Poisson functional representation with a
universal code for the index. `finite` makes a diffusion model whose states are finitely many numbers, so
that every law is a table; `algorithms` sends and receives blocks of symbols through it, bit by bit; `rate`
keeps the books of rate and distortion for any model (Table 4, Fig. 5).

On a continuous model the same procedure would need about 2^KL draws a step. Nothing here is meant to be
fast; it shows that the codelength of claim C7 is one.
"""
