"""Derivations as Markdown: printed from the objects that were just checked."""

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterable
from html import escape
from pathlib import Path
from typing import Any

from ddpm_spec.proofs.engine import By, Check, Line, Proof

__all__ = ["code", "dotted", "steps"]

# How `typeset.rows` writes a sum of several rows.
ROWS_OPEN, ROWS_NEXT, ROWS_CLOSE = r"\begin{aligned}&", r" \\ &", r"\end{aligned}"


def steps(proof: Proof) -> str:
    """The lines of one derivation, each with its reason, and its check folded below.

    The left-hand side opens the chain; the formula of the paper, run on the same symbols, closes it.
    """
    derivation = proof.derivation
    first, *lines = derivation.lines
    start = [derivation.end_tex, *_rows("= ", first.tex)] if derivation.end_tex else _rows("", first.tex)
    items = [_item("line", start, _reason(first))]
    for line, check in zip(lines, proof.checks, strict=True):
        items.append(_item("line", _rows("= ", line.tex), _reason(line), _check(check), _lemma(line)))
    functions = " and ".join(f"[`{formula.__name__}`][{dotted(formula)}]" for formula in derivation.formulas)
    end = [] if derivation.end.tex == lines[-1].tex else _rows("= ", derivation.end.tex)
    items.append(_item("end", end, f"This is {functions}, run on the same symbols.", _check(proof.end)))
    return '<ol class="steps" markdown>\n' + "\n".join(items) + "\n</ol>\n"


def _item(kind: str, equation: list[str], reason: str, *below: str) -> str:
    parts = [_equation(equation), reason if reason.startswith("<") else _paragraph("reason", reason), *below]
    inside = "\n\n".join(part for part in parts if part)
    return f'<li class="step {kind}" markdown>\n\n{inside}\n\n</li>'


def _rows(relation: str, tex: str) -> list[str]:
    """A sum that its author broke into rows, as one formula a row: the page puts as many on a line as fit."""
    inside = tex.removeprefix(ROWS_OPEN).removesuffix(ROWS_CLOSE)
    broken = tex == ROWS_OPEN + inside + ROWS_CLOSE and ROWS_CLOSE not in inside
    first, *rest = inside.split(ROWS_NEXT) if broken else [tex]
    return [relation + first, *("{}" + row for row in rest)]


def _equation(rows: list[str]) -> str:
    return _paragraph("rows", " ".join(rf"$\displaystyle {row.strip()}$" for row in rows)) if rows else ""


def _reason(line: Line) -> str:
    names = "".join(_equation(_rows(f"{name} = ", term.tex)) for name, term in line.where)
    return _paragraph("reason", line.reason) + (
        f"\n\n{_paragraph('reason', 'Here')}\n\n{names}" if names else ""
    )


def _paragraph(kind: str, text: str) -> str:
    return f'<p class="{kind}" markdown="span">{text}</p>\n'


def _check(check: Check) -> str:
    word, kind = ("✓ proved", "proved") if check.verdict.proved else ("≈ checked at points", "numeric")
    method = check.verdict.method
    return (
        f'<details class="check {kind}"><summary>{word}</summary>'
        f"<p>{escape(method[:1].upper() + method[1:])}.</p></details>"
    )


def _lemma(line: Line) -> str:
    if not isinstance(line.rule, By):
        return ""
    lemma = line.rule.lemma.check()
    return (
        f'<details class="lemma" markdown>\n<summary markdown="span">The lemma: {lemma.derivation.title}</summary>\n\n'
        f"{steps(lemma)}\n</details>"
    )


def dotted(function: Callable[..., Any]) -> str:
    """The full name of a function, which is also its anchor in the API."""
    return f"{function.__module__}.{function.__qualname__}"


def code(functions: Iterable[Callable[..., Any]], root: Path) -> str:
    """The source of each function without its docstring, linked to its entry in the API."""
    parts = []
    for function in functions:
        name, path = function.__name__, dotted(function)
        file = Path(inspect.getsourcefile(function) or "").resolve().relative_to(root)
        line = inspect.getsourcelines(function)[1]
        parts.append(
            f'``` python title="{file.as_posix()}, line {line}"\n{source(function)}\n```\n\n'
            f"[`{name}`][{path}] in the API gives shapes, dtypes and rounding.\n{{ .code-link }}\n"
        )
    return "\n".join(parts)


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
