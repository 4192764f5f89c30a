"""Derivations as Markdown: printed from the objects that were just checked."""

import ast
import hashlib
import inspect
import re
import textwrap
from collections.abc import Callable, Iterable
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any

from sympy import Basic, Symbol, srepr
from sympy.core.function import AppliedUndef

from ddpm_spec.proofs.engine import (
    By,
    Check,
    Derivation,
    Expectation,
    FalseStep,
    Form,
    Integral,
    Line,
    Normal,
    Proof,
    Value,
)
from ddpm_spec.proofs.zero import Verdict
from ddpm_spec.site import SiteError
from ddpm_spec.site.cache.kept import Kept, libraries
from ddpm_spec.site.cache.sources import Sources
from ddpm_spec.site.printing.prose import prose

__all__ = ["code", "deviations", "dotted", "equation", "prove", "steps", "summands"]

SAID = frozenset({"assumptions", "formulas", "nodes", "reason", "seconds"})
"""What no step of a derivation is decided by."""

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


@cache
def prove(derivation: Derivation) -> Proof:
    """Check a derivation, unless a build has checked it and nothing that it depends on has changed since.

    Raises:
        SiteError: at a false step.
    """
    modules: set[str] = set()
    content = written(derivation, modules)
    digest = hashlib.sha256("\n".join([content, *_code(frozenset(modules))]).encode()).hexdigest()
    found = proofs().get(f"{derivation.title} {digest}", lambda: _checked(derivation))
    *checks, end = (Check(Verdict(outcome, method), seconds) for outcome, method, seconds in found)
    return Proof(derivation, tuple(checks), end)


@cache
def proofs() -> Kept:
    """What was found for each line of a derivation, for what it says and the code that decides."""
    return Kept("proofs", [Path(__file__), *libraries("mpmath", "networkx", "sympy")])


@cache
def _sources() -> Sources:
    return Sources()


@cache
def _code(modules: frozenset[str]) -> list[str]:
    return _sources().code(*modules)


def written(part: Any, modules: set[str]) -> str:
    """All of a derivation by which its steps are decided; the modules of what decides are added to `modules`.

    Formulas have been run when there is a derivation: what counts is what they gave.
    """
    modules.add(str(type(part).__module__))
    match part:
        case Basic():
            inside = part.atoms(Symbol, AppliedUndef)
            modules.update(str(type(atom).__module__) for atom in inside)
            # sympy does not write what is assumed of a function that has only a name.
            assumed = sorted({f"{f.func} {f.func._kwargs}" for f in inside if isinstance(f, AppliedUndef)})
            return " ".join([srepr(part), *assumed])
        case None | str() | int():
            return repr(part)
        case tuple():
            return f"({', '.join(written(item, modules) for item in part)})"
    if not is_dataclass(part):
        raise TypeError(f"it is not known what decides a step of a {type(part).__name__}")
    named = (field.name for field in fields(part) if field.name not in SAID)
    items = (f"{name}={written(getattr(part, name), modules)}" for name in named)
    return f"{type(part).__name__}({', '.join(items)})"


def _checked(derivation: Derivation) -> list[tuple[str, str, float]]:
    try:
        proof = derivation.check()
    except FalseStep as error:
        nodes = ", ".join(derivation.nodes) or derivation.title
        raise SiteError(f"the derivation of {nodes} has a false step. {error}") from None
    return [(c.verdict.outcome, c.verdict.method, c.seconds) for c in (*proof.checks, proof.end)]


def steps(proof: Proof, part: slice = slice(None)) -> str:
    """The lines of one derivation, each with its reason, and its check folded below.

    The left-hand side opens the chain; the formula of the paper, run on the same symbols, closes it.
    `part`: which lines; the first of them is where the part starts from, and has no check.
    """
    derivation = proof.derivation
    first, *lines = derivation.lines[part]
    sought = derivation.end_tex
    start = [sought, *_after("= ", pieces(first.form))] if sought else pieces(first.form)
    before = f"Eq. {first.node.removeprefix('eq-')}." if part.start else ""
    items = [_item("line", start, before or _reason(first))]
    for line in lines:
        check = proof.checks[derivation.lines.index(line) - 1]
        items.append(
            _item(
                "line",
                _after(f"{line.relation} ", pieces(line.form)),
                _reason(line),
                _check(check),
                _lemma(line),
            )
        )
    if [first, *lines][-1] is derivation.lines[-1]:
        items.append(_end(proof))
    return '<ol class="steps" markdown>\n' + "\n".join(items) + "\n</ol>\n"


def _end(proof: Proof) -> str:
    derivation = proof.derivation
    run = ", ".join(f"[`{formula.__name__}`][{dotted(formula)}]" for formula in derivation.formulas)
    said = f"The code, run on the same symbols: {run}." if run else "What was to be shown."
    same = derivation.end.tex == derivation.lines[-1].tex
    return _item("end", [] if same else _after("= ", pieces(derivation.end)), said, _check(proof.end))


def _item(kind: str, rows: list[str], reason: str, *below: str) -> str:
    parts = [equation(rows), reason if reason.startswith("<") else _paragraph("reason", reason), *below]
    inside = "\n\n".join(part for part in parts if part)
    return f'<li class="step {kind}" markdown>\n\n{inside}\n\n</li>'


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
            return _after(rf"\log\int\exp{size}l\{{", _before(end, summands(exponent.tex)))
        case Expectation(integrand, z):
            size = _size(integrand.tex)
            end = rf"{size}r]"
            return _after(rf"\mathbb{{E}}_{{{z.tex}}}{size}l[", _before(end, summands(integrand.tex)))
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
    above, after = rest[: end - 1], rest[end:]
    inner = _cut(above)
    if not after.startswith("{2}") or (r"\frac" not in above and len(inner) < 4):
        return [row]
    size = r"\bigg" if r"\frac" in above else r"\big"
    if r"\frac{\frac" in above or r"\left(\frac" in above:
        size = r"\Bigg"
    closing = rf"{size}r){after.removeprefix('{2}')}"
    return _after(rf"{sign}\tfrac12{size}l(", _before(closing, inner))


def _size(tex: str) -> str:
    return r"\Big" if r"\frac" in tex else r"\big"


def _after(opening: str, rows: list[str]) -> list[str]:
    return [opening + rows[0], *rows[1:]]


def _before(closing: str, rows: list[str]) -> list[str]:
    return [*rows[:-1], rows[-1] + closing]


def equation(rows: list[str]) -> str:
    """The Markdown of an equation in pieces."""
    rows = [_ROOT.sub(r"\1\\,", deviations(row.strip())) for row in rows]
    spaced = [*rows[:1], *(_RELATION.sub(r"{}\g<0>", row) for row in rows[1:])]
    return _paragraph("rows", " ".join(rf"$\displaystyle {row}$" for row in spaced)) if rows else ""


def _reason(line: Line) -> str:
    names = "".join(equation(_after(f"{name} = ", summands(term.tex))) for name, term in line.where)
    return _paragraph("reason", f"{line.reason} Here" if names else line.reason) + (
        f"\n\n{names}" if names else ""
    )


def _paragraph(kind: str, text: str) -> str:
    return f'<p class="{kind}" markdown="span">{text}</p>\n'


def _check(check: Check) -> str:
    word, kind = ("✓ proved", "proved") if check.verdict.proved else ("≈ checked at points", "numeric")
    method = prose(check.verdict.method)
    return (
        f'<details class="check {kind}" markdown>\n<summary markdown="span">{word}</summary>\n\n'
        f'<p markdown="span">{method[:1].upper() + method[1:]}.</p>\n\n</details>'
    )


def _lemma(line: Line) -> str:
    if not isinstance(line.rule, By):
        return ""
    lemma = prove(line.rule.lemma)
    summary = f'<summary markdown="span">The lemma: {lemma.derivation.title}</summary>'
    return f'<details class="lemma" markdown>\n{summary}\n\n{steps(lemma)}\n</details>'


def dotted(function: Callable[..., Any]) -> str:
    """The full name of a function, which is also its anchor in the API."""
    return f"{function.__module__}.{function.__qualname__}"


def code(functions: Iterable[Callable[..., Any]], root: Path) -> str:
    """The source of the functions without docstrings, a block a file, each linked to its API entry."""
    files: dict[str, list[Callable[..., Any]]] = {}
    for function in functions:
        path = Path(inspect.getsourcefile(function) or "").resolve().relative_to(root)
        files.setdefault(path.as_posix(), []).append(function)
    parts = []
    for file, group in files.items():
        text = "\n\n".join(source(function) for function in sorted(group, key=_line))
        links = ", ".join(f"[`{function.__name__}`][{dotted(function)}]" for function in group)
        parts.append(
            f'``` python title="{file}"\n{text}\n```\n\n'
            f"Shapes, dtypes and rounding are in the API: {links}.\n{{ .code-link }}\n"
        )
    return "\n".join(parts)


def _line(function: Callable[..., Any]) -> int:
    return inspect.getsourcelines(function)[1]


def source(function: Callable[..., Any]) -> str:
    """The source of a function without its docstring."""
    text = textwrap.dedent(inspect.getsource(function))
    lines = text.rstrip().split("\n")
    definition = ast.parse(text).body[0]
    assert isinstance(definition, ast.FunctionDef)  # noqa: S101 (formulas are plain functions)
    if ast.get_docstring(definition) is not None:
        docstring = definition.body[0]
        del lines[docstring.lineno - 1 : docstring.end_lineno]
    return "\n".join(lines)
