"""Sections of a note: where they end, how their headings move, what a missing one says."""

from pathlib import Path

import pytest

pytest.importorskip("mkdocs", reason="needs the docs extra: pip install -e '.[docs]'")

from ddpm_spec.site.markdown.notes import MissingNote, Note

NOTE = Note(
    "deep/demo",
    """Tags: none

| a |
| - |
| b |

^table

### One
first
``` python
# not a heading
```
##### Deep
deep
### Two
second ^line
""",
)


def test_a_section_ends_at_the_next_heading_of_its_level() -> None:
    assert NOTE.part("One") == "first\n``` python\n# not a heading\n```\n## Deep\ndeep"
    assert NOTE.part("two") == "second ^line"


def test_headings_take_the_level_of_the_page() -> None:
    assert "### Deep" in NOTE.part("One", level=3).splitlines()


def test_a_block_is_found_by_its_mark() -> None:
    assert NOTE.part("^table") == "| a |\n| - |\n| b |"
    assert NOTE.part("^line").endswith("second")


def test_the_empty_name_is_what_comes_before_the_first_heading() -> None:
    assert NOTE.part("") == "Tags: none\n\n| a |\n| - |\n| b |\n\n^table"


@pytest.mark.parametrize("part", ["Three", "not a heading", "^nothing"])
def test_a_missing_part_is_named(part: str) -> None:
    with pytest.raises(MissingNote, match=r"notes/deep/demo\.md has no"):
        NOTE.part(part)


def test_a_missing_note_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingNote, match=r"there is no note .*/other\.md"):
        Note.read(tmp_path, "other")
