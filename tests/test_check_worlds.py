"""`ptde check` of JaxMARL's worlds, by name."""

import pytest

from ptde.cli import main


@pytest.mark.parametrize(
    ("name", "status", "text"),
    [
        ("MPE_simple_spread_v3", 0, "ptde run --world jaxmarl --map MPE_simple_spread_v3"),
        ("MPE_simple_tag_v3", 2, "several teams play against each other. Type --map MPE"),
        ("ant_4x2", 2, "its actions are continuous"),
        ("HeuristicEnemySMAX", 2, "type --world smax --map 3s_vs_5z"),
        ("my_game", 2, "module:callable"),
    ],
)
def test_a_world_of_jaxmarl_is_explained(name, status, text, capsys):
    assert main(["check", name]) == status
    said = capsys.readouterr()
    assert text in " ".join((said.out + said.err).split())
