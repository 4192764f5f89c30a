"""What the derivations print, and numbers for their letters, so that every line can be read back."""

from collections.abc import Iterable
from functools import cache
from typing import Any

import sympy as sp
from latex import evaluate
from path_letters import PATH_LETTERS, STEPS, without_paths

from ddpm_spec.proofs import Derivation
from ddpm_spec.proofs.engine import Form, Integral, Normal, Value

__all__ = ["LETTERS", "parts", "printed", "read_back"]

# The value of every letter, at a point of the domain; the derived ones follow from the definitions.
ALPHA, ALPHA_BAR_PREV, X_0, EPS = 0.83, 0.57, 0.61, -1.27
LETTERS = {
    r"\alpha_t": ALPHA,
    r"\alpha_1": ALPHA,
    r"\beta_t": 1 - ALPHA,
    r"\beta_1": 1 - ALPHA,
    r"\bar\alpha_t": ALPHA * ALPHA_BAR_PREV,
    r"\bar\alpha_{t-1}": ALPHA_BAR_PREV,
    r"\bar\alpha_1": ALPHA,
    r"\bar\alpha_0": 1.0,
    r"\sigma_t^2": 0.31,
    r"\mu_\theta": 0.41,
    "m_{t-1}": 0.15,
    "V_{t-1}": 0.85,
    "x_0": X_0,
    "x_0'": -0.23,
    "x_t'": 0.47,
    r"\epsilon'": 0.52,
    r"\lambda": 0.3,
    "x_t": 1.9,
    "x_{t-1}": -0.4,
    "x_1": 0.9,
    r"\epsilon": EPS,
    r"\epsilon_\theta": 0.33,
    "z": 0.77,
    "x": 0.7,
    "y": -0.35,
    "m": 0.2,
    "m_p": -0.6,
    "v": 1.3,
    "v_p": 0.45,
    "a": 0.64,
    "r": 0.9,
    "s": 0.4,
    r"s_\theta": -0.8,
    r"\epsilon_1": 0.35,
    r"\epsilon_2": -0.95,
    "x^{(1)}": 0.45,
    "x^{(2)}": -0.7,
    "w_1": 0.3,
    "w_2": 0.7,
    "e_1": 0.42,
    "e_2": 0.87,
}
LETTERS |= {
    r"\mu": 0.2,
    r"\delta": 0.05,
    r"\zeta": 0.8,
    r"\sigma_1^2": 0.37,
    r"\bar\alpha_T": LETTERS[r"\bar\alpha_t"],
    r"\textstyle\sum_{s<t}\beta_s": 0.6,
    "L": 11.0,
    "D": 6.0,
    "k": 4.0,
    "u": 0.25,
    "w": 0.55,
    "t": 3.0,
    "T": STEPS,
    "h": 0.35,
    r"\beta_T": 0.4,
    r"\ell_\theta": -0.6,
    r"\ell_t": 0.7,
    "L_{t-1}": 1.6,
    r"L_{\mathrm{simple}}": 0.9,
    r"L_{\mathrm{vlb}}": 5.2,
    "K": 7.0,
    r"2^{-\ell}": 0.125,
}
# The letters of what came after the paper.
LETTERS |= {
    r"\sigma^2": 0.36,
    r"\sigma_d^2": 1.7,
    r"\hat x_0": 0.44,
    r"\gamma": 0.8,
    r"\xi": 1.4,
    r"\nu": 1.6,
    r"\nu_{\min}": 0.2,
    r"\nu_{\max}": 2.9,
    r"\tau": 0.42,
    r"\varphi": 0.9,
    r"\beta": 0.75,
    r"\beta(0)": 0.15,
    r"\beta(1)": 1.1,
    r"\epsilon_c": 0.65,
    r"\epsilon_u": -0.3,
    **{rf"\epsilon_{{({k})}}": value for k, value in enumerate((0.7, -0.4, 1.2, 0.3))},
    r"\sigma": 0.6,
    r"\sigma_{\min}": 0.1,
    r"\sigma_y^2": 0.7,
    r"\kappa": 1.15,
    "F": -0.45,
    "N": 6.0,
    "n": 5.0,
    "V": 1.25,
    "b": 1.35,
    "c": 0.55,
    "g": -0.85,
    "q_1": 0.62,
    "q_2": 0.29,
    r"\sqrt{\bar\alpha_t}": LETTERS[r"\bar\alpha_t"] ** 0.5,
    r"\sqrt{\bar\alpha_1}": LETTERS[r"\bar\alpha_1"] ** 0.5,
    r"\sqrt{\bar\alpha_T}": LETTERS[r"\bar\alpha_T"] ** 0.5,
}
_SYMBOLS = {"alpha_t": ALPHA, "alpha_bar_{t-1}": ALPHA_BAR_PREV}
_SYMBOLS |= {"levels below": 3.5, "levels above": 5.5, "levels": 9.5}


def printed(derivations: Iterable[Derivation]) -> list[tuple[str, str, Any, dict[str, float]]]:
    """Every expression that a derivation prints, with the names its line defines."""
    found = []
    for derivation in derivations:
        names: dict[str, Any] = {}
        for line in derivation.lines:
            names |= dict(line.where)
            found += [(derivation.title, tex, term, names) for tex, term in parts(line.form)]
            found += [(derivation.title, term.tex, term, names) for _, term in line.where]
        found += [(derivation.title, tex, term, names) for tex, term in parts(derivation.end)]
    return found


def parts(form: Form) -> list[tuple[str, Any]]:
    if isinstance(form, Value):
        return [(form.tex, form.term)]
    if isinstance(form, Normal):
        return [(part.tex, part) for part in (form.mean, form.variance)]
    term = form.exponent if isinstance(form, Integral) else form.integrand
    return [] if r"\mathcal" in term.tex else [(term.tex, term)]


@cache
def number(expression: sp.Expr) -> float:
    expression = without_paths(expression).doit(integrals=False)  # `evalf` integrates numerically
    point = {
        symbol: _SYMBOLS.get(symbol.name, LETTERS.get(symbol.name)) for symbol in expression.free_symbols
    }
    return float(expression.subs(point).evalf())


def read_back(tex: str, term: Any, names: dict[str, Any]) -> tuple[float, float]:
    """The value of what is printed, and the value that the proof compared."""
    letters = LETTERS | PATH_LETTERS | {name: number(value.value) for name, value in names.items()}
    return evaluate(tex, letters), number(term.value)
