"""The results that the site shows: whole, from a named run, and as they were written."""

import json
import re
from pathlib import Path

import pytest

pytest.importorskip("mkdocs", reason="needs the docs extra: pip install -e '.[docs]'")

from ddpm_spec.reproduction.targets import TARGETS
from ddpm_spec.site.printing import gpu
from ddpm_spec.site.printing.embeds import embedded
from ddpm_spec.site.printing.results import section

DOCS = Path(__file__).parents[2] / "docs"
STORED = {
    path.stem: json.loads(path.read_text())
    for path in (DOCS / "results").glob("*.json")
    if not path.stem.startswith("gpu")
}


def test_the_page_has_a_place_for_every_target() -> None:
    text = (DOCS / "train" / "results.md").read_text()
    assert re.findall(r"!\[\[results#(\w+)-digits\]\]", text) == list(TARGETS)


@pytest.mark.parametrize("name", STORED)
def test_a_stored_result_says_where_it_is_from(name: str) -> None:
    result = STORED[name]
    assert name == f"{result['target']}-{result['preset']}"
    assert re.fullmatch(r"[0-9a-f]{40}\+?", result["provenance"]["commit"])
    assert result["provenance"]["seconds"] > 0
    assert result["provenance"]["processor"]
    assert result["runs"]
    for run in result["runs"]:
        assert run.get("diverged") or re.fullmatch(r"[0-9a-f]{64}", run["sha256"])
    if result["picture"]:
        assert (DOCS / "results" / result["picture"]).read_bytes()[:4] == b"\x89PNG"


def test_every_cell_is_shown(tmp_path: Path) -> None:
    result = {
        "target": "table9",
        "preset": "digits",
        "tables": [
            {
                "caption": "Table 9",
                "header": ["x_t", "ours"],
                "rows": [["a|b", "not run"], ["ε, L", "‖μ̃ − x̂_0‖² (L)"]],
            }
        ],
        "picture": "table9-digits.png",
        "alt": "what it shows",
        "notes": ["L_simple at x_t."],
        "runs": [{"trained": {"seconds": 61.0}}, {"trained": None}],
        "provenance": {
            "command": "python -m ddpm_spec.reproduce table9",
            "commit": "0123456789abcdef+",
            "device": "CPU",
            "processor": "a processor",
            "cores": 2,
            "torch": "2",
            "seconds": 3.2,
        },
    }
    (tmp_path / "table9-digits.json").write_text(json.dumps(result))
    (tmp_path / "table9-digits.png").write_bytes(b"a picture")
    shown = section("table9-digits", tmp_path, "../results")
    assert "| $x_{t}$ | ours |\n|---|---|\n| a&#124;b | not\xa0run |" in shown
    assert r"| $\epsilon$, L | $\lVert \tilde{\mu} - \hat{x}_0 \rVert^2$ ($L$) |" in shown
    assert '<div class="caption" markdown>\n\n$L_{' in shown
    assert "![what it shows](../results/table9-digits.png)" in shown
    assert r"$L_{\mathrm{simple}}$ at $x_{t}$." in shown
    assert (
        "`python -m ddpm_spec.reproduce table9`, commit 0123456789ab with changes, "
        "a processor, 2 cores, torch 2, this call took 3\xa0s (finished batches are kept), "
        "training its runs 61\xa0s." in shown
    )


def test_a_picture_is_shown_once(tmp_path: Path) -> None:
    for number, picture in {3: b"a", 4: b"a", 5: b"b"}.items():
        result = STORED["fig3-digits"] | {"place": f"Fig. {number}", "picture": f"fig{number}-digits.png"}
        (tmp_path / f"fig{number}-digits.json").write_text(json.dumps(result))
        (tmp_path / f"fig{number}-digits.png").write_bytes(picture)
    third, fourth, fifth = (section(f"fig{n}-digits", tmp_path, "..") for n in (3, 4, 5))
    assert "](../fig3-digits.png)" in third
    assert "](../fig5-digits.png)" in fifth
    assert ".png" not in fourth
    assert "The picture is that of [Fig. 3](#fig-3), to the last byte." in fourth


def test_what_is_not_stored_is_said_to_be_missing(tmp_path: Path) -> None:
    assert section("fig3-digits", tmp_path, "..") == (
        "Not stored yet: `python -m ddpm_spec.reproduce fig3 --preset digits` makes it.\n"
    )


# ------------------------------------------------------------------------------------------ on a GPU

SURROUNDINGS = {
    "commit": "0123456789abcdef", "tiny": False, "device": "NVIDIA H200", "memory_gb": 140, "processes": 1,
    "cuda": "13.0", "torch": "2.14.1", "diffusers": None, "python": "3.11.7",
}  # fmt: skip
PART = {"date": "2026-12-01", "seconds": 61.2, "said": ["training: 7,000 images/s", "  of | which\n<b>"]}


def test_what_a_gpu_found_is_a_table_on_the_page_of_results(tmp_path: Path) -> None:
    record = {"format": 1, "surroundings": SURROUNDINGS, "parts": {"CIFAR10's network, compiled": PART}}
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "gpu-h200.json").write_text(json.dumps(record))
    assert "\n![[results#gpu]]\n" in (DOCS / "train" / "results.md").read_text()
    shown = embedded("results", "gpu", tmp_path, "train/results.md", str)
    assert shown.startswith("## On a GPU { #gpu }\n")
    assert (
        "\n| part | what was found | date |\n|---|---|---|\n| CIFAR10's network, compiled "
        "| training: 7,000 images/s <br> of &#124; which <br> &lt;b&gt; | 2026-12-01 |\n" in shown
    )
    assert (
        "\nNVIDIA H200, 140\xa0GB; CUDA 13.0, torch 2.14.1, Python 3.11.7; commit 0123456789ab. "
        "[All numbers](../results/gpu-h200.json).\n" in shown
    )


def test_each_gpu_has_its_table_and_a_trial_is_called_one(tmp_path: Path) -> None:
    for name, more in (("gpu", {}), ("gpu-tiny", {"tiny": True, "processes": 2, "memory_gb": None})):
        record = {"surroundings": SURROUNDINGS | more, "parts": {name: PART}}
        (tmp_path / f"{name}.json").write_text(json.dumps(record))
    first, second = gpu.section(tmp_path, "..").split("| part |")[1:]
    assert "| gpu |" in first
    assert "trial" not in first
    assert "| gpu-tiny |" in second
    assert "\n2 × NVIDIA H200; CUDA" in second
    assert "in a tiny size, as a trial." in second


def test_without_a_gpu_nothing_is_shown(tmp_path: Path) -> None:
    (tmp_path / "fig3-digits.json").write_text("{}")
    assert gpu.section(tmp_path, "..") == ""
