"""Every gap has its page, told in one order, and every result its place on one."""

import re
from pathlib import Path

import pytest

pytest.importorskip("mkdocs", reason="needs the docs extra: pip install -e '.[docs]'")

from ddpm_spec.literature import FOLLOWUPS, GAPS, Followup, followups_of
from ddpm_spec.proofs.engine import Form
from ddpm_spec.proofs.followups import DERIVATIONS
from ddpm_spec.site.markdown.bibliography import Bibliography
from ddpm_spec.site.markdown.notes import Note
from ddpm_spec.site.mathematics.equations import pieces
from ddpm_spec.site.printing import nodes, overview

ROOT = Path(__file__).parents[2]
TEXTS = {gap: (ROOT / f"docs/gaps/{gap}.md").read_text() for gap in GAPS}
EMBED = re.compile(r"^!\[\[(beyond-[\w-]+)#(\w+)\]\]$", re.MULTILINE)
HEADING = re.compile(r"^#+ (.*?)(?: \{ #(\S+) \})?$", re.MULTILINE)


@pytest.mark.parametrize(("gap", "title"), GAPS.items(), ids=GAPS)
def test_a_gap_is_told_in_the_same_order(gap: str, title: str) -> None:
    headings = HEADING.findall(TEXTS[gap])
    assert headings == [
        (title, f"gap-{gap}"),
        ("Where the paper opens it", ""),
        ("Why it matters, in a number", ""),
        ("What came after", ""),
        ("What is verified here", ""),
        *(pair for pair in headings if pair[1] in FOLLOWUPS),
        ("What stays open", ""),
    ]
    assert [anchor for _, anchor in headings if anchor in FOLLOWUPS] == [n.id for n in followups_of(gap)]


@pytest.mark.parametrize("node", FOLLOWUPS.values(), ids=FOLLOWUPS)
def test_a_result_is_told_in_the_same_order(node: Followup) -> None:
    text = TEXTS[node.gap]
    section = text[text.index(f"{{ #{node.id} }}") :].partition("\n## ")[0]
    derived = any(node.id in derivation.nodes for derivation in DERIVATIONS)
    parts = ["statement", *(["derivation"] if derived else []), "code", "evidence"]
    assert EMBED.findall(section) == [(node.id, part) for part in parts]
    assert "$" in nodes.part(node.id, "statement", ROOT)


def test_a_page_has_at_most_eight_results() -> None:
    assert max(len(followups_of(gap)) for gap in GAPS) <= 8


@pytest.mark.parametrize("gap", GAPS)
def test_each_note_says_how_each_work_is_known(gap: str) -> None:
    known = Bibliography.read(ROOT / "docs/references.bib")
    rows = [
        row.strip("| ").split(" | ")
        for row in Note.read(ROOT / "notes", f"literature/{gap}").part("Works").split("\n")[2:]
    ]
    assert rows
    for works, gives, source in rows:
        keys = re.findall(r"\[@([^\]]+)\]", works)
        assert keys
        assert gives
        assert source
        assert all(key in known.data.entries for key in keys)


@pytest.mark.parametrize(("gap", "title"), GAPS.items(), ids=GAPS)
def test_the_note_on_the_paper_leads_to_the_note_on_each_gap(gap: str, title: str) -> None:
    """And back; the site resolves a link to a note by the page that shows it."""
    notes = ROOT / "notes"
    assert f"[[literature/{gap}|" in Note.read(notes, "ddpm").part(title)
    assert f"![[literature/{gap}#]]" in TEXTS[gap]
    own = Note.read(notes, f"literature/{gap}").part("Where it belongs")
    assert f"[[ddpm#{title}|" in own
    for name in re.findall(r"\[\[(literature/\w+)\|", own):
        assert (notes / f"{name}.md").is_file()


def test_the_check_page_links_to_every_gap_and_result() -> None:
    assert "\n![[gaps#table]]\n" in (ROOT / "docs/check/index.md").read_text()
    linked = re.findall(r"\]\[([\w-]+)\]", overview.gap_table())
    assert sorted(linked) == sorted([*(f"gap-{gap}" for gap in GAPS), *FOLLOWUPS])


def test_whose_it_is_stands_in_the_bibliography() -> None:
    known = Bibliography.read(ROOT / "docs/references.bib")
    assert all(work in known.data.entries for node in FOLLOWUPS.values() for work in node.works)


@pytest.mark.parametrize(
    "form", [form for d in DERIVATIONS for form in (*(line.form for line in d.lines), d.end)]
)
def test_cutting_a_line_loses_nothing(form: Form) -> None:
    whole = re.sub(r"\\tfrac12\\([bB]igg?)l\((.*?)\\\1r\)", r"\\frac{\2}{2}", "".join(pieces(form)))
    assert _marks(whole) == _marks(form.tex)


def _marks(tex: str) -> list[str]:
    """Letters, signs and commands in order, without what only frames or spaces them."""
    bare = re.sub(r"\\(begin|end)\{aligned\}|\\(left|right|[bB]igg?[lr])", "", tex)
    return re.findall(r"\\[A-Za-z]+|[\w+-]", bare)
