"""The bound: Eq. 3, from it to Eqs. 5 and 16 for any number of steps (App. A), and from Eq. 5 to Eq. 12.

A module is named after the formula at which its derivations end. Besides, `laws` and `divergences` hold what
they share, the normal laws of one step and the letters for divergences, and `bayes` the two lemmas by which
a step of the forward process is turned round.
"""
