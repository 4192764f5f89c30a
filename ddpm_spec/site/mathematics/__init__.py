"""How mathematics is printed: statements, derivations with their checks, code, and interactive figures."""
