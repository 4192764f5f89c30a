"""The paper's numbers: that they agree with each other where the paper prints them twice."""

from ddpm_spec.reproduction.published import TABLE_1, TABLE_2, TABLE_3, TABLE_4


def test_tables_are_rectangular():
    for table in (TABLE_1, TABLE_2, TABLE_3, TABLE_4):
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
