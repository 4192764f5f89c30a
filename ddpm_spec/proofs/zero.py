"""Is this expression zero? A decision for what occurs in the paper, not `simplify`.

`simplify(a - b) == 0` fails on true identities of square roots, in every parametrisation we tried.
The expressions here are rational functions of real data, of variances, of square roots of
variances, and logarithms of such with rational factors besides one that all share; any other function is
a letter of its own, the same where the arguments are the same. For them:

1. *Refute.* Evaluate at two rational points with 30 digits; a value that is not zero ends the matter.
2. *Logarithms.* Collect f Σ_i q_i log A_i with rational q_i and one factor f, and show that the
   product of the A_i, each to the power q_i, is 1.
3. *Roots.* Write each radicand as a product of irreducible factors that are positive on the domain,
   give each factor f one generator g with g² = f, and reduce. Roots of distinct irreducible factors
   are linearly independent over the rational functions, so the remainder is 0 exactly when the
   expression is.

A logarithm of a number below a fraction bar, as in a length in bits, is a letter. Sines and cosines are
letters too. Where that does not suffice they are taken apart by the addition
theorems, and sin² = 1 − cos² is one more square.
"""

from dataclasses import dataclass
from functools import cache
from typing import Literal

import sympy as sp

__all__ = ["Undecided", "UnitInterval", "Verdict", "is_zero", "sign_of"]

DIGITS = 30


class UnitInterval(sp.Symbol):  # type: ignore[misc] # sympy is untyped
    """A symbol for a number strictly between 0 and 1, such as α_t or ᾱ_{t−1}."""

    def __new__(cls, name: str) -> "UnitInterval":
        """The symbol of this name."""
        symbol: UnitInterval = super().__new__(cls, name, positive=True)
        return symbol


@dataclass(frozen=True)
class Verdict:
    """What was found out about an expression, and how."""

    outcome: Literal["zero", "not zero", "zero at the points tried"]
    method: str

    @property
    def proved(self) -> bool:
        """The expression is zero, by algebra."""
        return self.outcome == "zero"


class Undecided(Exception):
    """The expression is outside the class that the algebra decides."""


@cache
def is_zero(expression: sp.Expr) -> Verdict:
    """Decide whether the expression vanishes on its whole domain.

    Real symbols are free, positive symbols positive, `UnitInterval` symbols in (0, 1).
    """
    expression = sp.sympify(expression)
    value = _counterexample(expression)
    if value is not None:
        return Verdict("not zero", value)
    try:
        return Verdict("zero", _prove(expression))
    except Undecided as reason:
        return Verdict("zero at the points tried", f"two rational points, {DIGITS} digits; {reason}")


def is_positive(expression: sp.Expr) -> bool:
    """Whether a rational function is known to be positive on its whole domain."""
    try:
        return expression != 0 and sign_of(expression) == 1
    except Undecided:
        return False


def _points(symbols: list[sp.Symbol]) -> list[dict[sp.Symbol, sp.Rational]]:
    """Two rational points of the domain, with different primes for different symbols."""
    points: list[dict[sp.Symbol, sp.Rational]] = [{}, {}]
    for i, symbol in enumerate(symbols):
        p, q = sp.prime(2 * i + 3), sp.prime(2 * i + 4)
        points[0][symbol] = sp.Rational(p, q)
        points[1][symbol] = sp.Rational(q + 1, 3 * p + q) if symbol.is_positive else sp.Rational(-q, p)
    return points


def _counterexample(expression: sp.Expr) -> str | None:
    """A point where the expression is certainly not zero, with its value there."""
    for point in _points(sorted(expression.free_symbols, key=str)):
        terms = [term.subs(point).evalf(DIGITS) for term in sp.Add.make_args(expression)]
        value = sp.Add(*terms)
        scale = max([abs(term) for term in terms], default=sp.Integer(1))
        if abs(value) > scale * sp.Float(10) ** (5 - DIGITS):
            where = ", ".join(f"{symbol} = {number}" for symbol, number in point.items())
            return f"{sp.N(value, 6)} at {where}"
    return None


def _prove(expression: sp.Expr) -> str:
    """The name of the argument that shows zero.

    Raises:
        Undecided: if the argument does not apply or does not end in zero.
    """
    expression = expression.xreplace({unit: sp.Dummy(positive=True) for unit in _units(expression)})
    logs = expression.atoms(sp.log)
    if not logs:
        return _prove_algebraic(expression)
    names = {log: sp.Dummy() for log in logs}
    linear = sp.Poly(expression.xreplace(names), *names.values())
    if linear.total_degree() > 1:
        raise Undecided("a product of logarithms")
    coefficients = {log: linear.coeff_monomial(name) for log, name in names.items()}
    shared = next((c for c in coefficients.values() if not c.is_Rational), sp.Integer(1))
    coefficients = {log: sp.cancel(c / shared) for log, c in coefficients.items()}
    if not all(c.is_Rational for c in coefficients.values()):
        raise Undecided("logarithms whose coefficients have no rational ratio")
    common = sp.ilcm(1, *(c.q for c in coefficients.values()))
    product = sp.Mul(*(log.args[0] ** (common * c) for log, c in coefficients.items()))
    rest = linear.coeff_monomial(1)
    return f"{_prove_algebraic(product - 1)} for the logarithms; {_prove_algebraic(rest)} for the rest"


def _units(expression: sp.Expr) -> set[sp.Expr]:
    """The logarithms of numbers above 1 that something is divided by, such as the log 2 nats of a bit."""
    bars = [power.base for power in expression.atoms(sp.Pow) if power.exp.is_negative]
    return {log for bar in bars for log in bar.atoms(sp.log) if log.is_number and log.is_positive}


def _prove_algebraic(expression: sp.Expr) -> str:
    try:
        return _prove_with_roots(expression, {})
    except Undecided:
        if not expression.has(sp.sin):
            raise
    roots: dict[sp.Expr, sp.Symbol] = {}
    return f"addition theorems, {_prove_with_roots(_trigonometric(expression, roots), roots)}"


def _trigonometric(expression: sp.Expr, roots: dict[sp.Expr, sp.Symbol]) -> sp.Expr:
    """Sines and cosines of sums taken apart; then each sine is a root of 1 − cos², of either sign."""
    expanded = sp.expand_trig(expression)
    for sine in sp.ordered(expanded.atoms(sp.sin)):
        cosine = sp.Dummy(real=True)
        root = roots.setdefault(1 - cosine**2, sp.Dummy(real=True))
        expanded = expanded.xreplace({sine: root, sp.cos(*sine.args): cosine})
    return expanded


def _prove_with_roots(expression: sp.Expr, roots: dict[sp.Expr, sp.Symbol]) -> str:
    rational = _with_letters(expression).replace(
        lambda e: isinstance(e, sp.Pow) and e.exp.is_Rational and e.exp.q == 2,
        lambda e: _root(e.base, roots) ** e.exp.p,
    )
    others = [power for power in rational.atoms(sp.Pow) if not power.exp.is_Integer]
    if others:
        raise Undecided(f"{others[0]} is neither rational nor a square root")
    numerator = sp.fraction(sp.together(rational))[0]
    remainder = _reduce(sp.expand(numerator), roots)
    if remainder != 0:
        raise Undecided("the reduced numerator is not 0")
    if not roots:
        return "identity of rational functions"
    return f"identity of rational functions and {len(roots)} square root{'s' * (len(roots) > 1)}"


def _with_letters(expression: sp.Expr) -> sp.Expr:
    """Each value of a function as a letter; an identity that holds for all letters holds for the values."""
    letters: dict[sp.Expr, sp.Symbol] = {}
    for value in sp.ordered(expression.atoms(sp.Function)):
        same = (v for v in letters if v.func == value.func and _agree(v.args, value.args))
        known = next(same, None)
        letters[value] = sp.Dummy(real=True) if known is None else letters[known]
    return expression.xreplace(letters)


def _agree(args: tuple[sp.Expr, ...], others: tuple[sp.Expr, ...]) -> bool:
    plain = len(args) == len(others) and all(isinstance(arg, sp.Expr) for arg in (*args, *others))
    return plain and all(is_zero(a - b).proved for a, b in zip(args, others, strict=True))


def _reduce(numerator: sp.Expr, roots: dict[sp.Expr, sp.Symbol]) -> sp.Expr:
    """The numerator with every g² replaced by its factor."""
    if not roots:
        return numerator
    generators = list(roots.values())
    total = sp.Integer(0)
    for powers, coefficient in sp.Poly(numerator, *generators).terms():
        for power, factor, generator in zip(powers, roots, generators, strict=True):
            coefficient *= factor ** (power // 2) * generator ** (power % 2)
        total += coefficient
    return sp.expand(total)


def _root(radicand: sp.Expr, roots: dict[sp.Expr, sp.Symbol]) -> sp.Expr:
    """√radicand as a product of rational functions and generators."""
    numerator, denominator = sp.fraction(sp.together(radicand))
    root, sign = sp.Integer(1), 1
    for part, direction in ((numerator, 1), (denominator, -1)):
        constant, factors = sp.factor_list(part)
        sign *= -1 if constant < 0 else 1
        constants = sp.factorint(abs(sp.Rational(constant)))
        for factor, power in [*factors, *constants.items()]:
            factor = sp.sympify(factor)
            orientation = sign_of(factor)
            sign *= orientation ** (power % 2)
            oriented = factor * orientation
            generator = roots.setdefault(oriented, sp.Dummy(positive=True))
            root *= (oriented ** (power // 2) * generator ** (power % 2)) ** direction
    if sign < 0:
        raise Undecided(f"{radicand} is negative somewhere")
    return root


@cache
def sign_of(factor: sp.Expr) -> int:
    """The sign of a polynomial on the domain, if it is the same everywhere.

    With s = 1/(1 + u), u > 0, for every s in (0, 1), a polynomial whose coefficients share one sign
    has that sign.

    Raises:
        Undecided: if that is not seen.
    """
    free = factor.free_symbols
    if not all(symbol.is_positive for symbol in free):
        raise Undecided(f"the sign of {factor} is not known")
    unit = {s: 1 / (1 + sp.Dummy(positive=True)) for s in free if isinstance(s, UnitInterval)}
    sign = 1
    for part in sp.fraction(sp.together(factor.subs(unit))):
        monomials = sp.Add.make_args(sp.expand(part))
        if not (all(m.is_positive for m in monomials) or all(m.is_negative for m in monomials)):
            raise Undecided(f"the sign of {factor} is not known")
        sign *= 1 if monomials[0].is_positive else -1
    return sign
