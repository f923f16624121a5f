import json
import os
import shutil
import subprocess
import sys

import jax
import pytest

from ptde.cli import COMMANDS, main
from ptde.cli.arguments import at_home
from ptde.cli.devices import Began, prepare_devices
from ptde.jobs.record import Record
from ptde.rollout import devices

OPTIONS = """
    --world probe --map personal --steps 64 --envs 4 --segment 8 --hidden 8 --z 4
    --hyper-hidden 4 --embed 4 --hypernet-hidden 4 --buffer 16 --batch 4
    --test-every 32 --test-episodes 4 --episodes 16 --student.steps 10
    --student.batch 16 --student.hidden 8 --student.data-steps 64 --student.tests 1
    --student.test-episodes 4 --student.network mlp --student.objective z
    --student.data teacher --student.share 0 --finetune.share 0
"""
TINY = OPTIONS.split()


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """Puts back what `--devices` changes: the processes of later tests inherit it."""
    monkeypatch.setenv("XLA_FLAGS", os.environ["XLA_FLAGS"])
    monkeypatch.setattr(devices, "_usable", 1)
    monkeypatch.setattr(devices, "_firm", False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("cli") / "run"
    assert main(["teach", *TINY, "--seeds", "3", "--out", str(path)]) == 0
    return path


def test_the_commands_in_a_row(folder, capsys):
    assert main(["distill", str(folder), "--student.steps", "20"]) == 0
    assert "student" in capsys.readouterr().out
    rows = Record(folder / "student" / "record.jsonl").rows()
    assert rows[-1]["steps"] == 20
    assert main(["evaluate", str(folder), "--episodes", "24"]) == 0
    result = json.loads((folder / "result.json").read_text())
    assert result["teacher"]["episodes"] == 3 * 24
    assert len(result["teacher"]["seeds"]) == 3
    assert main(["resume", str(folder)]) == 0
    assert "teacher" in capsys.readouterr().out


def test_a_run_goes_on_on_another_number_of_devices(folder, tmp_path, capsys):
    words = [*TINY, "--out", str(tmp_path / "run")]
    assert main(["teach", *words, "--devices", "2"]) == 0
    assert "2 devices, each with its share of the copies" in capsys.readouterr().out
    shutil.rmtree(tmp_path / "run" / "teacher" / "model")
    assert main(["resume", str(tmp_path / "run"), "--devices", "1"]) == 0
    assert "began on 2 device(s), and goes on on 1" in capsys.readouterr().out


def test_list_names_everything(capsys):
    assert main(["list"]) == 0
    shown = capsys.readouterr().out
    for name in ("3s_vs_8z", "3s5z_vs_3s7z", "personal", "gip", "qplex", "demo"):
        assert name in shown
    rows = [line.replace("│", " ").split() for line in shown.splitlines()]
    assert ["smax", "3s_vs_5z", "179", "3", "10", "40", "62"] in rows
    assert ["starcraft", "3s_vs_5z", "250", "3", "11", "48", "68"] in rows


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command, capsys):
    with pytest.raises(SystemExit) as exit_:
        main([command, "--help"])
    assert exit_.value.code == 0
    assert "usage: ptde " + command in capsys.readouterr().out


def test_a_misspelt_time_out_names_the_choices(capsys):
    assert main(["run", "--time-out", "terminate"]) == 2
    assert (
        "cannot be 'terminate': it must be one of bootstrap, terminal\n"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("number", "began", "one"),
    [
        (1, None, True),
        (None, None, True),
        (None, Began(1, one_thread=True), True),
        (None, Began(1, one_thread=False), False),  # from Python, which sets no flag
        (1, Began(1, one_thread=False), False),
        (None, Began(1, one_thread=None), False),  # as older versions did
        (1, Began(1, one_thread=None), True),
        (2, Began(1, one_thread=False), True),  # sums are of another order anyway
    ],
)
def test_products_are_on_as_many_threads_as_when_the_run_began(
    number, began, one, monkeypatch
):
    monkeypatch.setattr(devices, "_usable", 1)
    monkeypatch.setattr(devices, "_firm", False)
    jax.devices()
    for before in ("", devices.ONE_THREAD):
        monkeypatch.setenv("XLA_FLAGS", before)
        prepare_devices(number, began)  # JAX has started: it is too late to change it
        assert devices.on_one_thread() == bool(before)
    monkeypatch.setattr(jax.config, "update", lambda *_: None)
    for before in ("", devices.ONE_THREAD):
        monkeypatch.setenv("XLA_FLAGS", before)
        prepare_devices(number, began)
        assert devices.on_one_thread() == one


def test_more_devices_than_cores_are_refused_before_anything_is_compiled(tmp_path):
    words = ["run", "--devices", "99", "--out", str(tmp_path / "run")]
    code = f"from ptde.cli import entry; entry({words})"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert said.returncode == 2 and "type a number from 1 to" in said.stderr
    assert not list(tmp_path.iterdir())


def test_the_home_folder_is_found_where_no_shell_has_looked(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    words = ["--out=~/runs", "~/data.txt", "~", "--map=a:b,c=~/d", "~x", "--steps=3"]
    homes = ["--out=/home/me/runs", "/home/me/data.txt", "/home/me"]
    assert [*map(at_home, words)] == [*homes, "--map=a:b,c=/home/me/d", "~x", "--steps=3"]


def test_a_misspelt_option_suggests_the_right_one(capsys):
    assert main(["run", "--td-lamda", "0.5"]) == 2
    assert (
        "error: --td-lamda is no option of `ptde run`: did you mean --td-lambda?"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        ("rum", "there is no command `ptde rum`: did you mean `ptde run`?"),
        ("zzz", "there is no command `ptde zzz`: `ptde --help` shows them"),
        ("--map 3m run", "a command comes first, then --map"),
        ("run --map 3n", "did you mean --map 3m"),
        ("run --world smaxx", "did you mean --world smax"),
        ("run --info gap", "did you mean --info gip"),
        ("run --mixer qmixx", "did you mean --mixer qmix"),
        ("run --preset dem", "did you mean --preset demo"),
        ("run --preset", "--preset needs a name"),
        ("run --map=", "--map needs a name"),
        ("run --steps", "--steps needs a value"),
        ("run --steps=many", "--steps: it must be a whole number, not 'many'. Joint steps"),
        ("run --gamma x", "--gamma: it must be a number, not 'x'. Discount per joint step"),
        ("run --finetune.leash x", "--finetune.leash: it must be a number, not 'x'"),
        ("run --zzz 3", "--zzz is no option of `ptde run`"),
        ("run 3m", "'3m' is a word too many: an option and its value are typed as --opt"),
        ("resume", "type `ptde resume RUN`. RUN: The run folder."),
        ("run --gamma 1.5", "--gamma must lie in [0, 1]"),
        ("run --td-lambda -1", "--td-lambda must lie in [0, 1]"),
        ("run --epsilon-end 3", "--epsilon-end must lie in [0, 1]"),
        ("run --steps 0", "--steps must lie in [1, inf)"),
        ("run --steps 2147483648", "32 bits: type --steps 2147483647 or less"),
        ("run --finetune.steps 3000000000", "type --finetune.steps 2147483647 or less"),
        ("run --envs 0", "--envs must lie in [1, inf)"),
        ("run --batch 0", "--batch must lie in [1, inf)"),
        ("run --batch 2000", "--batch 2000 is larger than --buffer 1000"),
        ("run --reward-scale inf", "--reward-scale must lie in (0, inf), not inf"),
        (
            "run --world ranking --map letor --data nowhere",
            "nowhere, the run's data, does not exist in /",
        ),
        ("run --sight 0", "--sight must lie in (0, 4]"),
        ("run --devices 3", "--devices 3: JAX has 2 here; type a number from 1 to 2"),
        ("resume x --devices two", "--devices two: type a number, e.g. --devices 1"),
        ("run --actors two", "--actors two: type a number, e.g. --actors 2"),
        ("run --ray ray://head:10001", "start ptde on a machine of the cluster"),
        ("distill nowhere", "nowhere is not a run folder"),
        ("evaluate nowhere", "nowhere is not a run folder"),
        ("resume nowhere", "nowhere is not a run folder"),
        ("replay nowhere", "nowhere is not a run folder"),
        ("replay nowhere --out a.jpg", "--out a.jpg: type a file whose name ends in .gif"),
        ("replay nowhere --episode 3000000000", "type --episode 2147483647 or less"),
    ],
)
def test_bad_input_says_what_to_type_and_writes_nothing(
    words, advice, capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert main(words.split()) == 2
    shown = capsys.readouterr().err
    assert advice in shown
    assert len(shown.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_the_installed_command_answers_without_loading_a_world():
    """Nor what draws, saves or boosts. JAX it loads: ``import ptde`` offers ``run``."""
    late = ["jaxmarl", "pettingzoo", "gfootball", "matplotlib", "PIL", "lightgbm"]
    code = (
        "import sys; from ptde.cli import main; status = main([]); "
        f"print([name for name in {late} if name in sys.modules], status)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "teach, distil, fine-tune, evaluate" in shown.stdout
    assert shown.stdout.splitlines()[-1] == "[] 2", shown.stderr
