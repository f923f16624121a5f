import functools
import os
import sys

import jax
import jax.numpy as jnp
import pytest

from ptde.paths import config_folder
from ptde.trust import (
    Untrusted,
    check_callable,
    check_inside,
    check_plan,
    check_run,
    check_target,
    import_callable,
    is_own,
    own_place,
    sign,
    split_words,
    trusted_words,
    trusting,
)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))


class Game:
    @classmethod
    def small(cls):
        return cls()


def make():
    return Game()


@pytest.mark.parametrize(
    "target",
    [
        "os:system",
        "subprocess:run",
        "builtins:exec",
        "sys:exit",
        "importlib.util:find_spec",
    ],
)
def test_pythons_own_library_holds_no_world(target):
    with pytest.raises(ValueError, match=r"Python's own library.*nothing was imported"):
        check_target(target)


@pytest.mark.parametrize(
    "target",
    ["", "game", ":Game", "game:", "../game:Game", "a b:c", "a/b:c", "a:b:c", "a:b\n"],
)
def test_what_is_no_target_is_said(target):
    with pytest.raises(ValueError, match="type module:callable"):
        check_target(target)


@pytest.mark.parametrize("found", [Game, make, Game.small, functools.partial(make)])
def test_classes_and_functions_of_ones_own_may_be_called(found):
    check_callable("my_game:found", found)


@pytest.mark.parametrize(
    "found", [os.system, exec, dict, functools.partial(os.system, "true"), [].append]
)
def test_what_a_module_of_ones_own_only_holds_may_not(found):
    with pytest.raises(ValueError, match=r"no class or function of yours: it was not"):
        check_callable("my_game:found", found)


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A folder with modules of one's own, in which ptde is started."""
    (tmp_path / "own_part.py").write_text("class Game:\n    class Inner:\n        pass\n")
    (tmp_path / "own_fault.py").write_text("raise ValueError('no\\nsuch thing')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield tmp_path
    sys.modules.pop("own_part", None)


def test_what_lies_in_the_folder_is_imported(mine):
    assert import_callable("own_part:Game.Inner", "--info").__name__ == "Inner"
    assert str(mine) == sys.path[0]


def test_the_folder_is_not_searched_for_ptdes_own(mine):
    with pytest.raises(ValueError, match=r"cannot import 'ptde\.no_such_module'"):
        import_callable("ptde.no_such_module:Part")
    assert str(mine) not in sys.path


@pytest.mark.parametrize("option", ["--map", "--info", "--log"])
@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("own_fault:Game", "cannot import 'own_fault': it raised ValueError: no such"),
        ("not_there:Game", "cannot import 'not_there' (No module named 'not_there'): is"),
        ("own_part:Gmae", "'own_part' has no 'Gmae': type {option} own_part:NAME"),
    ],
)
def test_what_cannot_be_imported_is_one_line_that_names_the_option(
    mine, option, target, says
):
    with pytest.raises(ValueError) as error:
        import_callable(target, option)
    assert str(error.value).startswith(f"{option} {target}: ")
    assert says.format(option=option) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_folder_is_ones_own_while_its_run_json_is_what_was_written(tmp_path):
    sign(tmp_path, b"one")
    assert is_own(tmp_path, b"one")
    assert not is_own(tmp_path, b"two")
    sign(tmp_path, b"two")  # a crash between leaves either
    assert is_own(tmp_path, b"one") and is_own(tmp_path, b"two")


def test_the_key_is_the_users_alone(tmp_path):
    sign(tmp_path, b"text")
    key = config_folder() / "key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert len(key.read_bytes()) == 32
    key.chmod(0o644)
    assert not is_own(tmp_path, b"text")
    key.chmod(0o600)
    assert is_own(tmp_path, b"text")
    key.write_bytes(b"another")
    assert not is_own(tmp_path, b"text")


def test_without_a_home_nothing_is_ones_own(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "file"))
    sign(tmp_path, b"text")
    assert not (tmp_path / "origin").exists()
    assert not is_own(tmp_path, b"text")


def test_any_option_that_names_code_is_asked_for(tmp_path):
    for option in ("map", "info", "student.network"):
        with pytest.raises(Untrusted, match=r"import my_game:Part"):
            check_run(tmp_path, b"", {option: "my_game:Part"})
    with pytest.raises(Untrusted, match=r"import my_info:Info, and call it with 'w"):
        check_run(tmp_path, b"", {"info": "my_info:Info,width=8"})
    with pytest.raises(ValueError, match="own library"), trusting():
        check_run(tmp_path, b"", {"mixer": "os:system,command=x"})
    with pytest.raises(ValueError, match="names no part"), trusting():
        check_run(tmp_path, b"", {"mixer": "../x:y"})
    check_run(tmp_path, b"", {"map": "3s_vs_5z", "hidden": 64, "ranking.data": "a:b"})


def test_what_was_agreed_to_is_agreed_within(tmp_path):
    options = {"map": "my_game:Game"}
    with trusting("my_game:Game"):
        check_run(tmp_path, b"", options)
        assert trusted_words() == ["env:my_game:Game"]
        with pytest.raises(Untrusted):
            check_run(tmp_path, b"", {"map": "my_game:Other"})
    with trusting():
        check_run(tmp_path, b"", {"map": "my_game:Other"}, data="/elsewhere")
        assert trusted_words() == ["--trust"]
    with pytest.raises(Untrusted):
        check_run(tmp_path, b"", options)


def test_data_within_the_folder_may_be_read(tmp_path):
    check_run(tmp_path, b"", {}, data=str(tmp_path / "data.txt"))
    with pytest.raises(Untrusted, match="lies outside it: nothing was read"):
        check_run(tmp_path, b"", {}, data=str(tmp_path / ".." / "data.txt"))


def test_a_plan_is_asked_like_a_folder(tmp_path):
    check_plan(["3m", "letor"], {"info": "gip", "ranking.data": "a:b"})
    with pytest.raises(Untrusted, match="would import my_info:Info"):
        check_plan(["3m"], {"info": "my_info:Info,width=8"})
    with pytest.raises(Untrusted, match="env:my_game:Game"):
        check_plan(["my_game:Game"], {})
    with pytest.raises(Untrusted, match="env:my_env:Meet;"):
        check_plan(["my_env:Meet,cells=5"], {})
    with trusting("my_game:Game", "my_env:Meet"):
        check_plan(["my_game:Game", "my_env:Meet,cells=5"], {})
    with pytest.raises(ValueError, match="own library"), trusting():
        check_plan(["os:system"], {})


def test_words_that_trust_are_taken_out():
    assert split_words(["run", "--role", "x"]) == (["run", "--role", "x"], None)
    assert split_words(["run", "--trust"]) == (["run"], [])
    assert split_words(["run", "env:a:B", "--out", "x"]) == (["run", "--out", "x"], ["a:B"])
    with pytest.raises(ValueError, match="own library"):
        split_words(["run", "env:os:system"])


def test_links_may_lead_to_places_within(tmp_path):
    folder = tmp_path / "run"
    (folder / "teacher").mkdir(parents=True)
    (folder / "teacher" / "file").write_text("")
    (folder / "link").symlink_to("teacher/file")
    check_inside(folder)
    (tmp_path / "short").symlink_to(folder)
    check_inside(tmp_path / "short")
    (folder / "teacher" / "out").symlink_to(tmp_path)
    with pytest.raises(ValueError, match="leads out of"):
        check_inside(folder)


def test_pipes_are_no_files(tmp_path):
    os.mkfifo(tmp_path / "result.json")
    with pytest.raises(ValueError, match="neither a file nor a folder"):
        check_inside(tmp_path)


def test_an_error_in_code_of_the_users_is_said_with_its_place(tmp_path, monkeypatch):
    (tmp_path / "mine_that_fails.py").write_text("def add(a):\n    return a + 'b'\n")
    monkeypatch.syspath_prepend(tmp_path)
    add = import_callable("mine_that_fails:add", "--info")
    with pytest.raises(TypeError) as error:
        jax.eval_shape(lambda: add(jnp.zeros(2)))
    assert own_place(error.value).endswith("mine_that_fails.py, line 2, in add)")
    with pytest.raises(ValueError) as error:
        check_target("no-target", "--info")
    error.value.__traceback__ = error.value.__traceback__.tb_next  # without this file
    assert own_place(error.value) == ""
