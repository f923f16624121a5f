import dataclasses

import pytest
from tests.students import NO_STAGE_3

from ptde import build
from ptde.config import Run

PROBE = Run(world="probe", map="personal", finetune=NO_STAGE_3)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"envs": 100_000_000}, r"--envs 100000000 needs .* type --envs \d+ or less"),
        ({"seeds": 1_000_000_000}, r"--seeds 1000000000 needs .* type --seeds \d+ or less"),
        ({"hidden": 10_000_000}, r"networks of --hidden 10000000 .* smaller --hidden$"),
        ({"hidden": 2**31 - 1}, r"type a smaller --hidden"),
        ({"hidden": 10_000_000, "algo": "mappo"}, r"type a smaller --hidden"),
        ({"episodes": 10**9}, r"type --episodes \d+ or less"),
        ({"test_episodes": 10**9}, r"type --test-episodes \d+ or less"),
    ],
)
def test_what_does_not_fit_is_refused_by_its_name(options, text):
    run = dataclasses.replace(PROBE, **options)
    env = build.world(run)
    with pytest.raises(ValueError, match=text):
        build.check_fits(run, env)


def test_a_replay_that_does_not_fit_says_what_would(monkeypatch):
    value = dataclasses.replace(PROBE.value, buffer=100_000_000)
    run = dataclasses.replace(PROBE, value=value)
    with pytest.raises(
        ValueError, match=r"replay of --buffer 100000000 .*Type --buffer \d+"
    ):
        build.check_fits(run, build.world(run))


def test_what_is_said_to_fit_fits(monkeypatch):
    monkeypatch.setattr(build, "_free_memory", lambda: 50_000_000)
    run = dataclasses.replace(PROBE, envs=100_000)
    with pytest.raises(ValueError, match="--envs 100000 needs") as said:
        build.check_fits(run, build.world(run))
    fitting = int(str(said.value).split("type --envs ")[1].split()[0])
    smaller = dataclasses.replace(PROBE, envs=fitting // 50)
    build.check_fits(smaller, build.world(smaller))
