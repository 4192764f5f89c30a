"""Derivations as Markdown: printed from the objects that were just checked."""

from ddpm_spec.proofs.engine import By, Check, Line, Proof
from ddpm_spec.site.mathematics.equations import after, equation, paragraph, pieces, summands
from ddpm_spec.site.mathematics.listing import dotted
from ddpm_spec.site.mathematics.prose import prose
from ddpm_spec.site.mathematics.proved import prove

__all__ = ["steps"]


def steps(proof: Proof, part: slice = slice(None)) -> str:
    """The lines of one derivation, each with its reason, and its check folded below.

    The left-hand side opens the chain; the formula of the paper, run on the same symbols, closes it.
    `part`: which lines; the first of them is where the part starts from, and has no check.
    """
    derivation = proof.derivation
    first, *lines = derivation.lines[part]
    sought = derivation.end_tex
    start = [sought, *after("= ", pieces(first.form))] if sought else pieces(first.form)
    before = f"Eq. {first.node.removeprefix('eq-')}." if part.start else ""
    items = [_item("line", start, before or _reason(first))]
    for line in lines:
        check = proof.checks[derivation.lines.index(line) - 1]
        items.append(
            _item(
                "line",
                after(f"{line.relation} ", pieces(line.form)),
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
    return _item("end", [] if same else after("= ", pieces(derivation.end)), said, _check(proof.end))


def _item(kind: str, rows: list[str], reason: str, *below: str) -> str:
    parts = [equation(rows), reason if reason.startswith("<") else paragraph("reason", reason), *below]
    inside = "\n\n".join(part for part in parts if part)
    return f'<li class="step {kind}" markdown>\n\n{inside}\n\n</li>'


def _reason(line: Line) -> str:
    names = "".join(equation(after(f"{name} = ", summands(term.tex))) for name, term in line.where)
    return paragraph("reason", f"{line.reason} Here" if names else line.reason) + (
        f"\n\n{names}" if names else ""
    )


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
