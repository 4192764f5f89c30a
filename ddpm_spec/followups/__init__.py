"""What the literature put in the gaps of the paper: closing equations, written once and by the same rules.

They stand beside `formulas` and call it wherever they are the paper's own formula in another place.
`ddpm_spec.literature` says which gap each of them closes, and whose work it is; what the paper itself says is
in `paper.NODES` and is counted apart.
"""
