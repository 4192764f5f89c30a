"""Equations cut into pieces, between which the page may break a line."""

import re

from ddpm_spec.proofs.engine import Expectation, Form, Integral, Normal, Value

__all__ = ["after", "deviations", "equation", "paragraph", "pieces", "summands"]

# How `typeset.rows` writes a sum of several rows.
ROWS_OPEN, ROWS_NEXT, ROWS_CLOSE = r"\begin{aligned}&", r" \\ &", r"\end{aligned}"

_TOKEN = re.compile(r"\\left|\\right|\\begin|\\end|\\[{}]| [+-] | -(?=\\)|↵|.", re.DOTALL)
# What is long may be broken inside a bracket, which then cannot stretch: a divergence before its ‖, the
# probability of an interval before its −, and a sum of logarithms.
_DIVERGENCE = re.compile(r"(D_\{\\mathrm\{KL\}\})\\left\((.*?) (\\,\\\|.*?)\\right\)")
_PHI = r"\\Phi *\\left\((?:(?!\\Phi).)*?\\right\)"
_INTERVAL = re.compile(rf"(?<!\{{)(\\log *)\\left([\[(])({_PHI}) - ({_PHI})\\right([\])])(?!\\right)")
_FLAT = r"(?:(?!\\left|\\right|\\frac).)*"
_LOGARITHMS = re.compile(rf"\\left\(({_FLAT}\\log{_FLAT} [+-] {_FLAT})\\right\)(?!\^)")
_DEVIATION = re.compile(r"\\sqrt\{(\\sigma_\w)\^(?:2|\{2\})\}")
# The bar of a root ends visibly before the letter that follows.
_ROOT = re.compile(
    r"(\\sqrt\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\}) ?"
    r"(?=[A-Za-z]|\\(?:alpha|bar|beta|epsilon|hat|sqrt|tilde)(?![A-Za-z]))"
)
# At the start of a piece it has no space before it, unless something stands there.
_RELATION = re.compile(r"^(?:[=<>]|\\(?:le|ge|leq|geq|approx|propto|sim|leftarrow)(?![A-Za-z]))")
_OPENING, _CLOSING = {"{", r"\left", r"\begin"}, {"}", r"\right", r"\end"}


def pieces(form: Form) -> list[str]:
    """A form cut into formulas where a line may break; the page puts as many on a line as fit."""
    match form:
        case Value(term):
            return summands(term.tex)
        case Normal(x, mean, variance):
            size = _size(mean.tex + variance.tex)
            return [
                rf"\log\mathcal{{N}}{size}l({x.tex};\;",
                *_before(r",\;", summands(mean.tex)),
                *_before(rf"{size}r)", summands(variance.tex)),
            ]
        case Integral(exponent, y):
            size = _size(exponent.tex)
            end = rf"{size}r\}}\, d{y.tex}"
            return after(rf"\log\int\exp{size}l\{{", _before(end, summands(exponent.tex)))
        case Expectation(integrand, z):
            size = _size(integrand.tex)
            end = rf"{size}r]"
            return after(rf"\mathbb{{E}}_{{{z.tex}}}{size}l[", _before(end, summands(integrand.tex)))
    return summands(form.tex)


def summands(tex: str) -> list[str]:
    """A sum cut before each + and − that is not inside a bracket, fraction or root."""
    tex = _DIVERGENCE.sub(r"\1\\bigl(\2↵\3\\bigr)", tex)
    tex = _INTERVAL.sub(r"\1\\Biggl\2\3 - \4\\Biggr\5", tex)
    tex = _LOGARITHMS.sub(r"(\1)", tex)
    inside = tex.removeprefix(ROWS_OPEN).removesuffix(ROWS_CLOSE)
    if tex == ROWS_OPEN + inside + ROWS_CLOSE and ROWS_CLOSE not in inside:
        tex = inside.replace(ROWS_NEXT, "↵")
    first, *rest = (part for row in _cut(tex) for part in _halved(row))
    return [first, *("{}" + row for row in rest)]


def deviations(tex: str) -> str:
    """With the deviation in the place of the root of a variance."""
    return _DEVIATION.sub(r"\1", tex)


def _cut(tex: str) -> list[str]:
    rows, depth = [""], 0
    for token in _TOKEN.findall(tex):
        depth += (token in _OPENING) - (token in _CLOSING)
        if depth == 0 and token in (" + ", " - ", " -", "↵"):
            rows.append("")
        rows[-1] += token.strip("↵")
    return [row.strip() for row in rows]


def _halved(row: str) -> list[str]:
    """Half a sum that is long or has fractions, as ½(…): it can be read, and a line may break in it."""
    sign, found, rest = row.partition(r"\frac{")
    if not found or sign.strip(" +-"):
        return [row]
    depth, end = 1, 0
    while depth:
        depth += (rest[end] == "{") - (rest[end] == "}")
        end += 1
    above, behind = rest[: end - 1], rest[end:]
    inner = _cut(above)
    if not behind.startswith("{2}") or (r"\frac" not in above and len(inner) < 4):
        return [row]
    size = r"\bigg" if r"\frac" in above else r"\big"
    if r"\frac{\frac" in above or r"\left(\frac" in above:
        size = r"\Bigg"
    closing = rf"{size}r){behind.removeprefix('{2}')}"
    return after(rf"{sign}\tfrac12{size}l(", _before(closing, inner))


def _size(tex: str) -> str:
    return r"\Big" if r"\frac" in tex else r"\big"


def after(opening: str, rows: list[str]) -> list[str]:
    """The rows, the first behind an opening."""
    return [opening + rows[0], *rows[1:]]


def _before(closing: str, rows: list[str]) -> list[str]:
    return [*rows[:-1], rows[-1] + closing]


def equation(rows: list[str]) -> str:
    """The Markdown of an equation in pieces."""
    rows = [_ROOT.sub(r"\1\\,", deviations(row.strip())) for row in rows]
    spaced = [*rows[:1], *(_RELATION.sub(r"{}\g<0>", row) for row in rows[1:])]
    return paragraph("rows", " ".join(rf"$\displaystyle {row}$" for row in spaced)) if rows else ""


def paragraph(kind: str, text: str) -> str:
    """Text of a kind that the style sheet knows."""
    return f'<p class="{kind}" markdown="span">{text}</p>\n'
