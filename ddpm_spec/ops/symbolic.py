"""`sympy.Expr`: the number type of the proofs."""

from typing import Any

import sympy as sp

from ddpm_spec.ops import TABLE

__all__ = ["log_normal_interval", "normal_cdf", "where"]


def normal_cdf(x: sp.Expr) -> sp.Expr:
    """Φ(x) by the error function; ±∞ give 1 and 0."""
    return (1 + sp.erf(x / sp.sqrt(2))) / 2


def log_normal_interval(lower: sp.Expr, upper: sp.Expr) -> sp.Expr:
    """log(Φ(upper) − Φ(lower)); an end that is ±∞ in one branch of a case is taken branch by branch."""
    difference = normal_cdf(upper) - normal_cdf(lower)
    return sp.log(sp.piecewise_fold(difference) if difference.has(sp.Piecewise) else difference)


def where(condition: Any, x: Any, y: Any) -> sp.Expr:
    """Both branches as a `Piecewise`."""
    return sp.Piecewise((sp.sympify(x), condition), (sp.sympify(y), True))


TABLE["sqrt"].register(sp.Expr, sp.sqrt)
TABLE["exp"].register(sp.Expr, sp.exp)
TABLE["log"].register(sp.Expr, sp.log)
TABLE["sin"].register(sp.Expr, sp.sin)
TABLE["cos"].register(sp.Expr, sp.cos)
TABLE["tanh"].register(sp.Expr, sp.tanh)
TABLE["one"].register(sp.Expr, lambda like: sp.Integer(1))
TABLE["two_pi"].register(sp.Expr, lambda like: 2 * sp.pi)
TABLE["infinity"].register(sp.Expr, lambda like: sp.oo)
TABLE["log_normal_interval"].register(sp.Expr, log_normal_interval)
TABLE["where"].register(sp.logic.boolalg.Boolean, where)
