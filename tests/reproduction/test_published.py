"""Printed numbers: that they agree with each other where they are printed twice."""

from pathlib import Path

from ddpm_spec.reproduction.published import DDIM, IDDPM, TABLE_1, TABLE_2, TABLE_3, TABLE_4


def test_tables_are_rectangular():
    for table in (TABLE_1, TABLE_2, TABLE_3, TABLE_4, DDIM, IDDPM):
        assert {len(row) for row in table.rows} == {len(table.header)}


def test_what_two_tables_print_is_the_same():
    ours = {row[0]: row[1:3] for row in TABLE_1.rows if row[0].startswith("DDPM")}
    ablation = {row[:2]: row[2:] for row in TABLE_2.rows}
    assert ours["DDPM (L, fixed isotropic Σ)"] == ablation["ε", "L, fixed isotropic Σ"]
    assert ours["DDPM (L_simple)"] == ablation["ε", "‖ε − ε_θ‖² (L_simple)"]


def test_rate_rises_and_distortion_falls_with_reverse_time():
    columns = [[float(cell) for cell in column] for column in zip(*TABLE_4.rows, strict=True)]
    assert columns[0] == sorted(columns[0], reverse=True)
    assert columns[1] == sorted(columns[1], reverse=True)
    assert columns[2] == sorted(columns[2])
    assert f"{columns[1][0]:.2f}" == "1.78"  # the rate that §4.3 gives in words


def test_all_steps_of_ddims_network_by_algorithm_2_are_the_papers_own_fid():
    """DDIM samples from the network of this paper."""
    *_, all_steps = DDIM.rows
    assert all_steps[0] == "1000"
    assert all_steps[2] == dict(zip(TABLE_1.header, TABLE_1.rows[-1], strict=True))["FID"]


def test_more_steps_are_better_and_few_are_worst_with_noise():
    steps, *columns = zip(*DDIM.rows, strict=True)
    assert list(map(int, steps)) == sorted(map(int, steps))
    for column in columns:
        fids = [float(cell) for cell in column if cell]
        assert fids == sorted(fids, reverse=True)
    assert float(DDIM.rows[0][2]) > float(DDIM.rows[0][1])


def test_codelength_and_fid_rank_iddpms_objectives_the_other_way():
    bits, fids = ([float(cell) for cell in column] for column in list(zip(*IDDPM.rows, strict=True))[1:])
    assert bits == sorted(bits, reverse=True)
    assert fids == sorted(fids)


def test_the_notes_say_the_same():
    notes = Path(__file__).parents[2] / "notes"
    paper, sampling, likelihood = (
        (notes / name).read_text(encoding="utf-8")
        for name in ("ddpm.md", "literature/sampling.md", "literature/likelihood.md")
    )
    ddim, noisy = ({row[0]: row[k] for row in DDIM.rows} for k in (1, 2))
    assert f"in 10 steps its FID is {ddim['10']}, where DDPM's larger variance gives {noisy['10']}" in paper
    *fids, last = (row[1] for row in DDIM.rows)
    *steps, most = (row[0] for row in DDIM.rows)
    assert f"FID {', '.join(fids)} and {last} in {', '.join(steps)} and {most} steps" in sampling
    (_, *hybrid), (_, *vlb) = IDDPM.rows[1:]
    assert f"on the bound: {vlb[0]} bits/dim at FID {vlb[1]}" in likelihood
    assert f"of both losses: {hybrid[0]} at FID {hybrid[1]}" in likelihood
