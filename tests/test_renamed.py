"""Old words go on meaning what they meant, with a remark that says the new one."""

import pytest

from ptde.cli import main
from ptde.cli.arguments import start_of, world_words
from ptde.compare import runner
from ptde.config import Run, flag
from ptde.methods import METHODS
from ptde.options import flatten
from ptde.renamed import OLD_NAMES, renamed


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("--eyes all", "--teacher-sight all"),
        ("--eyes=all", "--teacher-sight=all"),
        ("--together", "--online-distillation"),
        ("--no-together", "--no-online-distillation"),
        ("--world host", "--world processes"),
        ("--world=host", "--world processes"),
        ("--host.limit 7", "--processes.limit 7"),
        ("--env.host.limit 7", "--processes.limit 7"),
        ("--method together_longer", "--method online_longer"),
    ],
)
def test_an_old_word_is_said_anew_and_remarked(old, new, capsys):
    words, _ = start_of(world_words(["--steps", "5", *old.split()]))
    assert words == ["--steps", "5", *new.split()]
    assert " is now called --" in capsys.readouterr().err


def test_what_has_its_name_still_is_left_as_it_is(capsys):
    words = ["--info", "gip", "--out", "host", "--together-not", "--map=together"]
    assert renamed(words) == words
    assert capsys.readouterr().err == ""


def test_every_new_word_exists():
    flags = {flag(name) for name in flatten(Run())} | {"--method"}
    for new in OLD_NAMES.values():
        option, *value = new.replace("no-", "").split()
        assert option in flags
        if option == "--method":
            assert value[0] in METHODS


def test_old_words_in_a_plan(tmp_path, monkeypatch, capsys):
    plan = tmp_path / "plan.toml"
    plan.write_text(
        'methods = ["together"]\nmaps = ["a:B"]\n[run]\nworld = "host"\n"host.limit" = 9\n'
    )
    asked = []
    monkeypatch.setattr(runner, "compare", lambda plan, *rest: asked.append(plan))
    main(["compare", str(plan), "--trust"])
    assert asked[0].methods == ("online",)
    assert asked[0].base.world == "processes"
    assert asked[0].base.processes.limit == 9
    assert "--host.limit is now called --processes.limit" in capsys.readouterr().err


def test_the_remark_comes_before_what_is_wrong(capsys):
    assert main(["run", "--eyes", "all"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("--eyes is now called --teacher-sight")
    assert "--teacher-sight all goes with --info none" in error
