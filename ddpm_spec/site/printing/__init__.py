"""What pages print of the package, as Markdown: statements, derivations, code, evidence, tables and figures.

`embeds` is the way in: it gives the text that stands for `![[eq-7#derivation]]`. To import it loads torch and
sympy.
"""
