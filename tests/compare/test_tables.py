"""Tables of results that were not all run alike."""

import pytest

from ptde.compare.outcome import Entry
from ptde.compare.tables import latex, markdown, notes


def entry_of(*won, returns=None, tests=(), **more):
    seeds = range(len(won))
    rows = [{"steps": 8, "seconds": 1.0, "win_rate": list(test)} for test in tests]
    returns = [10 * x for x in won] if returns is None else returns
    more = {"episodes": 16 * len(won), "tests": [(seeds, rows)], **more}
    return Entry(seeds=list(won), returns=list(returns), **more)


def rows_of(text, label):
    """The cells of each table's row of a method."""
    lines = [line for line in text.splitlines() if line.startswith(f"| {label} |")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_only_what_was_run_on_all_maps_has_an_iqm():
    whole = {"3m": entry_of(1.0, 1.0), "8m": entry_of(0.2, 0.2)}
    entries = {"qmix": whole, "vdn": {"3m": entry_of(0.9, 0.9)}}
    maps = ["3m", "8m", "25m"]  # nobody has been on the last yet
    text = markdown(entries, maps)
    assert rows_of(text, "QMIX (D)")[0][-1] == "0.600 [0.60, 0.60]"
    assert rows_of(text, "VDN (D)")[0][-1] == "1 of 2 maps"  # not better than QMIX
    assert "1 of 2 maps" in latex(entries, maps)
    lacking = "IQM is over all maps of the table: who lacks one has none."
    assert lacking in notes(entries)
    assert lacking not in notes({"qmix": whole})


def test_a_cell_says_where_it_has_fewer_seeds():
    entries = {"qmix": {"3m": entry_of(0.5, 0.5, 0.5)}, "vdn": {"3m": entry_of(0.4)}}
    text = markdown(entries, ["3m"])
    won, _, returns = rows_of(text, "VDN (D)")
    assert won[2] == "0.400 (1 of 3 seeds)"
    assert returns[1] == "4.00 (1 of 3 seeds)"
    assert "of 3 seeds" not in str(rows_of(text, "QMIX (D)"))
    assert "mean over 3 seed(s), or as many as a cell says, of 16 test episodes" in text
    assert "mean over 3 seed(s) of 16" in notes({"qmix": entries["qmix"]})[0]


def test_a_maps_head_says_where_methods_had_other_numbers_of_steps():
    alike = {"qmix": {"3m": entry_of(0.5, steps=350_840)}}
    assert "3m (0.351M)" in markdown(alike, ["3m"])
    more = {"vdn": {"3m": entry_of(0.5, steps=451_080)}}
    assert "3m (0.351 to 0.451M)" in markdown(alike | more, ["3m"])


def nobody_won(**more):
    return {
        "qmix": {"spread": entry_of(0.0, 0.0, returns=[-20.0, -22.0], **more)},
        "vdn": {"spread": entry_of(0.0, 0.0, returns=[-30.0, -34.0])},
    }


def test_where_nobody_won_the_tables_are_of_returns():
    text = markdown(nobody_won(tests=[[0.0, 0.0]]), ["spread"])
    (won, better) = rows_of(text, "QMIX (D)")  # no more tables, of nothing
    assert won[2] == "-21.000 [-33.71, -8.29]"
    assert won[3] == "-21.000 [-22.00, -20.00]"
    assert better[2] == "1.00 [1.00, 1.00]"
    assert "Final return, mean over 2 seed(s)" in text
    assert "No episode was won, or the world does not say who wins" in text
    assert "-21.000" in latex(nobody_won(), ["spread"])


@pytest.mark.parametrize(
    ("other", "high"), [({"tests": [[0.0, 0.25]]}, "0.11"), ({"measure": "share"}, "0.00")]
)
def test_a_world_that_says_who_wins_keeps_its_zeros(other, high):
    text = markdown(nobody_won(**other), ["spread"])
    assert rows_of(text, "QMIX (D)")[0][2] == f"0.000 [0.00, {high}]"  # of 32 episodes
    assert "No episode was won" not in text
