"""What docs/security.md says, point by point."""

import dataclasses
import json
import pickle
import re
import stat
import sys

import numpy as np
import pytest
from safetensors.numpy import save_file
from tests.documents import ROOT

from ptde.cli import READERS, main
from ptde.config import Run, place_of
from ptde.envs.ranking import read_letor
from ptde.export.player import Player
from ptde.folder import RunFolder
from ptde.jobs import checkpoint
from ptde.jobs.checkpoint import Checkpoints
from ptde.page.document import Section, render, table
from ptde.paths import cache_folder, config_folder
from ptde.processes.pool import Maker, sizes_of
from ptde.rollout.cache import use_compilation_cache
from ptde.run_json import load_run
from ptde.trust import trusting

PAGE = ROOT / "docs" / "security.md"
SAID = {}
GAME = """
import pathlib
pathlib.Path({mark!r}).write_text("imported")
from tests.processes.worlds import Line
Game = Line
"""
WORLD = Run(world="processes", map="strangers_game:Game", steps=20, envs=1, segment=10)


def says(sentence):
    """The test of a point of the page, which must stand there so."""

    def mark(test):
        SAID.setdefault(sentence, []).append(test.__name__)
        return test

    return mark


@pytest.fixture
def stranger(tmp_path, monkeypatch):
    """A folder that somebody else wrote, and where it is seen that its code ran."""
    mark = tmp_path / "mark"
    (tmp_path / "strangers_game.py").write_text(GAME.format(mark=str(mark)))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(ROOT))
    sizes_of.cache_clear()
    folder = RunFolder.create(
        dataclasses.replace(WORLD, processes=with_kwargs('{"length": 3}')),
        tmp_path / "run",
        "run",
    ).path
    (folder / "origin").unlink()
    return folder, mark


def with_kwargs(text):
    return dataclasses.replace(WORLD.processes, kwargs=text)


def test_every_point_of_the_page_has_its_test():
    points = re.findall(r"^- (.*)$", PAGE.read_text(), re.M)
    assert sorted(points) == sorted(SAID)


@says(
    "No command imports the `module:callable` that a folder names before you agree, and"
    " the message shows what would be imported, and what it would be given."
)
@pytest.mark.parametrize("command", sorted(READERS - {"compare"}))
def test_no_command_imports(stranger, command, capsys):
    folder, mark = stranger
    more = [str(folder / "run.json")] if command == "rank" else []
    assert main([command, str(folder), *more]) == 2
    said = capsys.readouterr().err
    assert 'import strangers_game:Game, and call it with {"length": 3}' in said
    assert "env:strangers_game:Game" in said
    assert "--trust" in said
    assert not mark.exists()


@says(
    "You agree to one world by naming it, as in `ptde evaluate FOLDER "
    "env:my_game:MyGame`, or to all that the folder names with `--trust`."
)
@pytest.mark.parametrize("word", ["env:strangers_game:Game", "--trust", "env:other:Game"])
def test_a_word_that_agrees(stranger, word, capsys):
    folder, mark = stranger
    assert main(["evaluate", str(folder), word]) == 2
    agreed = word != "env:other:Game"
    assert mark.exists() == agreed
    assert ("has no finished team yet" in capsys.readouterr().err) == agreed


@says(
    "A folder that your own ptde wrote asks for nothing: its file `origin` holds a code"
    " of `run.json` under a key that only you can read."
)
def test_a_folder_of_ones_own(stranger, tmp_path):
    folder = RunFolder.create(WORLD, tmp_path / "mine", "run")
    assert load_run(folder.path)[0] == WORLD
    folder.rewrite(dataclasses.replace(WORLD, episodes=8))
    assert load_run(folder.path)[0].episodes == 8


@says(
    "The parts (`--info`, `--mixer`, `--algo`, the student's) and the loggers that a "
    "folder names are asked for like its world."
)
@pytest.mark.parametrize("option", ["info", "mixer", "algo", "student.network", "log"])
def test_parts_and_loggers(stranger, option, capsys):
    folder, mark = stranger
    data = json.loads((folder / "run.json").read_text())
    data["run"] |= {"world": "probe", "map": "personal"}
    group, _, name = option.rpartition(".")
    if option == "log":
        (folder / "log.json").write_text('["strangers_game:Game"]')
    else:
        (data["run"][group] if group else data["run"])[name] = "strangers_game:Game"
    (folder / "run.json").write_text(json.dumps(data))
    assert main(["resume", str(folder)]) == 2
    assert "would import strangers_game:Game" in capsys.readouterr().err
    assert not mark.exists()


@says(
    "A `run.json` that was changed afterwards is a stranger's, and so is every folder "
    "whose key is lost, or could be read by others."
)
def test_a_folder_that_was_ones_own(stranger, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    folder = RunFolder.create(WORLD, tmp_path / "mine", "run").path
    file, key = folder / "run.json", tmp_path / "home" / "ptde" / "key"
    text = file.read_text()
    for spoil, mend in (
        (lambda: file.write_text(text + " "), lambda: file.write_text(text)),
        (lambda: key.chmod(0o644), lambda: key.chmod(0o600)),
        (lambda: key.rename(tmp_path / "k"), lambda: (tmp_path / "k").rename(key)),
    ):
        load_run(folder)
        spoil()
        with pytest.raises(ValueError, match="was not written by your ptde"):
            load_run(folder)
        mend()


@says(
    "What belongs to Python's own library (`os:system`, `subprocess:run`, "
    "`builtins:exec`) is refused in any case, and before it is imported."
)
@pytest.mark.parametrize("target", ["os:system", "subprocess:run", "antigravity:fly"])
def test_pythons_own_library(stranger, target, capfd):
    folder, _ = stranger
    data = json.loads((folder / "run.json").read_text())
    data["run"]["map"] = target
    (folder / "run.json").write_text(json.dumps(data))
    (folder.parent / "plan.toml").write_text(
        f'methods = ["qmix"]\nmaps = ["{target}"]\n[run]\nworld = "processes"\n'
    )
    for words in (
        ["evaluate", str(folder), "--trust"],
        ["evaluate", str(folder), f"env:{target}"],
        ["run", f"env:{target}", "--out", str(folder / "never")],
        ["check", target],
        ["compare", "plan.toml", "--trust"],
    ):
        assert main(words) == 2
        assert "is of Python's own library" in capfd.readouterr().err
    assert "antigravity" not in sys.modules
    assert not (folder / "never").exists()


@says(
    "Modules that lie in the folder where you start ptde are imported for a world of "
    "yours, never for one of ptde's own."
)
def test_modules_of_the_working_folder(stranger, tmp_path):
    _, mark = stranger
    (tmp_path / "psutil.py").write_text(GAME.format(mark=str(mark)))
    (tmp_path / "gfootball.py").write_text(GAME.format(mark=str(mark)))
    with pytest.raises(ValueError, match="cannot be started"):
        sizes_of(
            Maker("ptde.processes.games.football:Football", '{"scenario": "no"}'), 60.0
        )
    assert not mark.exists()


@says("Networks and checkpoints are arrays and text: nothing in them is unpickled.")
def test_nothing_is_unpickled(tmp_path):
    found = []
    sys.addaudithook(lambda event, _: found.append(event))
    tree = {"w": np.ones((3, 2), np.float32)}
    checkpoint.save(tmp_path / "model", tree)
    del found[:]
    checkpoint.load(tmp_path / "model", tree)
    assert "open" in found
    assert "pickle.find_class" not in found
    pickle.loads(pickle.dumps(np.ones(2)))
    assert "pickle.find_class" in found  # it would have been seen
    file = tmp_path / "model" / checkpoint.ARRAYS
    np.savez(file, w=np.array([print], object))
    digest = {file.name: checkpoint._digest(file)}
    (tmp_path / "model" / checkpoint.DIGEST).write_text(json.dumps(digest))
    del found[:]
    with pytest.raises(checkpoint.DamagedCheckpoint):
        checkpoint.load(tmp_path / "model", tree)
    assert "pickle.find_class" not in found


@says("A model whose arrays have other names, shapes or types than the run's is refused.")
@pytest.mark.parametrize(
    "other",
    [
        {"v": np.ones((3, 2), np.float32)},
        {"w": np.ones((3, 3), np.float32)},
        {"w": np.ones((3, 2), np.int32)},
    ],
)
def test_a_model_that_does_not_fit(tmp_path, other):
    checkpoint.save(tmp_path / "model", other)
    with pytest.raises(checkpoint.UnfitCheckpoint):
        checkpoint.load(tmp_path / "model", {"w": np.ones((3, 2), np.float32)})


@says("A link in it that leads out of it is refused before anything is read or written.")
@pytest.mark.parametrize("name", ["result.json", "teacher"])
def test_a_link_that_leads_out(tmp_path, name, capsys):
    folder = RunFolder.create(Run(world="probe"), tmp_path / "run", "run").path
    (tmp_path / "mine").mkdir()
    (folder / name).symlink_to(tmp_path / "mine")
    for command in ("evaluate", "resume", "report", "export"):
        assert main([command, str(folder)]) == 2
        assert "leads out of" in capsys.readouterr().err
    assert not list((tmp_path / "mine").iterdir())


@says(
    "Map names, seeds and checkpoints become names of files in it, never paths out of it."
)
def test_names_are_no_paths(tmp_path):
    for name in ("..", "../../x", "/etc/passwd", ".ssh", "a:b", "a\0b", ""):
        place = place_of(name)
        assert (tmp_path / place).parent == tmp_path
        assert place not in (".", "..")
    assert place_of("my_game.sub:Game") == "my_game.sub-Game"
    folder = RunFolder.create(Run(world="probe"), tmp_path / "run", "run").path
    data = json.loads((folder / "run.json").read_text())
    data["run"]["seed"] = "../../x"
    (folder / "run.json").write_text(json.dumps(data))
    with pytest.raises(ValueError, match="seed"):
        load_run(folder)
    for name in ("12", "..", "²", "-3", "7x"):
        (tmp_path / "checkpoints" / name).mkdir(parents=True, exist_ok=True)
    assert Checkpoints(tmp_path / "checkpoints").steps() == [12]


@says("A data file outside of it is not read before you agree.")
def test_data_elsewhere(tmp_path, capsys):
    (tmp_path / "private.txt").write_text("my secret\n")
    options = dataclasses.replace(
        Run(world="ranking").ranking, data=str(tmp_path / "private.txt")
    )
    run = Run(world="ranking", ranking=options)
    folder = RunFolder.create(run, tmp_path / "run", "run").path
    (folder / "origin").unlink()
    assert main(["evaluate", str(folder)]) == 2
    said = capsys.readouterr().err
    assert "which lies outside it: nothing was read" in said
    assert "secret" not in said
    assert main(["evaluate", str(folder), "--trust"]) == 2
    assert "private.txt, line 1" in capsys.readouterr().err


@says("Its report shows what it says as text: nothing of it becomes a script.")
def test_a_report_is_text():
    evil = "</script><script>alert(1)</script>"
    page = render(
        evil, [], [Section("a", evil, table([evil], [[evil]]))], {"charts": [evil]}
    )
    assert "alert(1)" in page
    assert evil not in page


@says(
    "Its rows are read as numbers and nothing else, and the arrays that are kept of it "
    "hold no objects."
)
def test_rows_are_numbers(tmp_path):
    (tmp_path / "a.txt").write_text("1 qid:1 1:__import__('os')\n")
    with pytest.raises(ValueError, match="which is no number"):
        read_letor(tmp_path / "a.txt", cache=tmp_path / "cache")
    (tmp_path / "b.txt").write_text("1 qid:1 1:2\n0 qid:1 1:3\n")
    read_letor(tmp_path / "b.txt", cache=tmp_path / "cache")
    (kept,) = (tmp_path / "cache").glob("b.txt-*")
    np.save(kept / "queries.npy", np.array([[print, 0]], object), allow_pickle=True)
    (queries,) = read_letor(tmp_path / "b.txt", cache=tmp_path / "cache")
    assert len(queries.ids) == 1  # what was damaged is read anew


@says("A row that is wrong is named, with its line, and nothing is kept of its file.")
def test_a_row_that_is_wrong(tmp_path):
    (tmp_path / "a.txt").write_text("1 qid:1 1:2\n0 qid:1 1:3 x\n")
    with pytest.raises(ValueError, match=r"a\.txt, line 2"):
        read_letor(tmp_path / "a.txt", cache=tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


@says(
    "It holds options of `ptde run` and nothing else: it cannot say where files are "
    "written."
)
@pytest.mark.parametrize("line", ['out = "/tmp/x"', 'run.out = "/tmp/x"', "run.trust = 1"])
def test_a_plan_says_no_place(tmp_path, line, capsys):
    plan = tmp_path / "plan.toml"
    plan.write_text(f'methods = ["qmix"]\nmaps = ["3m"]\n{line}\n')
    assert main(["compare", str(plan), "--out", str(tmp_path / "never")]) == 2
    said = capsys.readouterr().err
    assert "unknown entry" in said or "is no option of `ptde run`" in said
    assert not (tmp_path / "never").exists()


@says("The `module:callable` of a plan is not imported before you agree.")
def test_a_plan_imports_nothing(stranger, tmp_path, capsys):
    _, mark = stranger
    plan = tmp_path / "plan.toml"
    plan.write_text(
        'methods = ["qmix_kd"]\nmaps = ["strangers_game:Game"]\n'
        '[run]\nworld = "processes"\nsegment = 4\n'
    )
    words = ["compare", str(plan), "--out", str(tmp_path / "out")]
    assert main(words) == 2
    assert "env:strangers_game:Game" in capsys.readouterr().err
    assert not mark.exists()
    assert main([*words, "env:strangers_game:Game"]) == 2
    assert "cannot hold an episode" in capsys.readouterr().err
    assert mark.exists()


@says(
    "`player.py` in the folder is a program, as any file of Python is: to play a "
    "stranger's team, use `ptde.export.player`, which runs nothing that lies in the "
    "folder."
)
def test_a_strangers_player(tmp_path):
    mark = tmp_path / "mark"
    for name in ("player.py", "__init__.py", "numpy.py"):
        (tmp_path / name).write_text(GAME.format(mark=str(mark)))
    player = Player(exported(tmp_path, "linear"))
    assert player.act(np.ones((1, 2)), np.ones((1, 2))).shape == (1,)
    assert not mark.exists()


@says(
    "Weights and description are read as numbers and text, and a layer of an unknown "
    "kind is refused."
)
def test_a_strangers_weights(tmp_path):
    player = Player(exported(tmp_path, "_class__"))
    with pytest.raises(ValueError, match="not known"):
        player.act(np.ones((1, 2)), np.ones((1, 2)))


def exported(folder, kind):
    """A team of one agent that may do two things."""
    layer = {"name": "q", "kind": kind, "reads": ["local"]}
    shapes = {"obs": {"shape": [1, 2]}, "memory": {"shape": [1, 0]}}
    team = {"agents": 1, "actions": 2, "inputs": shapes, "layers": [layer]}
    (folder / "team.json").write_text(json.dumps(team))
    ones = {"q.weight": np.ones((5, 2), np.float32), "q.bias": np.ones(2, np.float32)}
    save_file(ones, folder / "model.safetensors")
    return folder


@says("The key lies in `~/.config/ptde` with mode 0600.")
def test_where_the_key_is(tmp_path, monkeypatch):
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    RunFolder.create(Run(world="probe"), tmp_path / "run", "run")
    key = tmp_path / ".config" / "ptde" / "key"
    assert key == config_folder() / "key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


@says(
    "Compiled programs lie in `~/.cache/ptde`, which only you can write to; from a folder "
    "that others could write to none is run."
)
def test_where_programs_are(tmp_path, monkeypatch):
    import jax

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    before = jax.config.jax_compilation_cache_dir
    jax.config.update("jax_compilation_cache_dir", None)
    try:
        use_compilation_cache()
        place = cache_folder()
        assert place == tmp_path / ".cache" / "ptde"
        assert jax.config.jax_compilation_cache_dir.startswith(str(place))
        assert stat.S_IMODE(place.stat().st_mode) & 0o022 == 0
        jax.config.update("jax_compilation_cache_dir", None)
        (place / "programs").chmod(0o777)
        use_compilation_cache()
        assert jax.config.jax_compilation_cache_dir is None
    finally:
        jax.config.update("jax_compilation_cache_dir", before)


def test_trust_ends_with_its_block(stranger):
    folder, _ = stranger
    with trusting():
        load_run(folder)
    with pytest.raises(ValueError, match="not written by your ptde"):
        load_run(folder)
