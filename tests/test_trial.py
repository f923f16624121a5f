"""Parts of the user's own are tried before anything is written."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import pytest
from tests.documents import EXAMPLES

from ptde.cli import main
from ptde.config import Run
from ptde.distill.config import DistillConfig
from ptde.distill.objectives import OBJECTIVES, ZObjective
from ptde.distill.students import STUDENTS, GruStudent, MlpStudent
from ptde.info import GIP, GIU, INFOS, AbstractRecurrentInfo, coach
from ptde.mixers import MIXERS, VDN
from ptde.trial import check_own_parts
from ptde.types import EnvSpec, Info

SPEC = EnvSpec("toy", 3, 6, 9, 4, 20)


class Narrow(GIU):
    def __call__(self, local, state, *, noise):
        info = super().__call__(local, state, noise=noise)
        return Info(z=info.z[..., :3], mean=info.mean[..., :3])


class Bare(AbstractRecurrentInfo):
    z_dim = 2
    stochastic = False

    def start(self, copies, n_agents):
        return ()

    def step(self, carry, local, state, *, noise):
        return carry, local[..., :2]

    def unroll(self, local, state, first, *, noise):
        return local[..., :2]


class Broken(GIU):
    def __call__(self, local, state, *, noise):
        raise KeyError("no such key")


class Endless(GIU):
    def __call__(self, local, state, *, noise):
        info = super().__call__(local, state, noise=noise)
        return Info(z=info.z / 0.0, mean=info.mean)


class Forgetful(GruStudent):
    """Its memory lasts beyond an episode where it unrolls."""

    def unroll(self, local, first):
        return super().unroll(local, jnp.zeros_like(first))


class Halved(GruStudent):
    def step(self, carry, local):
        carry, z = super().step(carry, local)
        return carry.astype(jnp.bfloat16), z


class Warm(GruStudent):
    def start(self, copies, n_agents):
        return super().start(copies, n_agents) + 1.0


class Flat(MlpStudent):
    def step(self, carry, local):
        return carry, self.mlp(local).reshape(len(local), -1)


class Split(VDN):
    def __call__(self, utilities, state):
        return utilities.chosen


class Each(ZObjective):
    def __call__(self, z, seen, network):
        return jnp.square(z - seen.z).sum(-1)


class Constant(ZObjective):
    def __call__(self, z, seen, network):
        return jnp.square(seen.z).mean()


class Fine(GIP):
    pass


class Lasting(GruStudent):
    pass


class Sum(VDN):
    pass


class Distance(ZObjective):
    pass


def tried(monkeypatch, info=GIP, student=MlpStudent, mixer=VDN, loss=ZObjective):
    parts = {"info": info, "student": student, "mixer": mixer, "loss": loss}
    for registry, part in zip((INFOS, STUDENTS, MIXERS, OBJECTIVES), parts, strict=True):
        monkeypatch.setitem(registry, "mine", parts[part])
    student = DistillConfig(network="mine", objective="mine")
    check_own_parts(Run(info="mine", student=student, mixer="mine"), SPEC)


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        (
            {"info": Narrow},
            "--info mine: z has shape .5, 3, 3., and should have .5, 3, 64.: c",
        ),
        (
            {"info": lambda spec, sizes, *, key: Bare()},
            "--info mine: it returns a plain array, not a ptde.types.Info",
        ),
        (
            {"info": Broken},
            "--info mine raised KeyError: 'no such key' .*test_trial.py, line [0-9]+.$",
        ),
        ({"info": Endless}, "--info mine: z is not finite"),
        ({"student": Forgetful}, "network mine: z of unroll differs .* at step 4 of a"),
        ({"student": Halved}, r"start has float32\[5, 3, 64\], where step's has bfloat16"),
        ({"student": Warm}, "the carry of start must be all zeros"),
        ({"student": Flat}, "z has shape .5, 192., and should have .5, 3, 64."),
        (
            {"mixer": Split},
            "--mixer mine: Q_tot has shape .5, 7, 3., and should have .5, 7.",
        ),
    ],
)
def test_a_part_that_is_none_is_refused_in_words(monkeypatch, parts, says):
    with pytest.raises(ValueError, match=says):
        tried(monkeypatch, **parts)


def with_memory(spec, sizes, *, key):
    return coach(spec, replace(sizes, refresh=2), key=key)


@pytest.mark.parametrize("info", [Fine, with_memory])
def test_parts_that_are_as_they_should_be_pass(monkeypatch, info):
    tried(monkeypatch, info, Lasting, Sum, Distance)


def test_ptdes_own_parts_are_not_tried(monkeypatch):
    monkeypatch.setattr(jax, "jit", None)
    check_own_parts(Run(), SPEC)


def test_nothing_is_written_for_a_part_that_is_none(monkeypatch, tmp_path, capsys):
    text = (EXAMPLES / "my_info.py").read_text()
    (tmp_path / "bad_info.py").write_text(
        text.replace("return Info(", "z = z[..., 1:]; return Info(")
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(INFOS, "attention", GIP)  # which it replaces until the test ends
    words = ["run", "--map", "3m", "--info", "bad_info:Attention", "--out", "bad"]
    assert main([*words, "--steps", "100"]) == 2
    assert "--info bad_info:Attention: z has shape (5, 3, 63)" in capsys.readouterr().err
    assert not (tmp_path / "bad").exists()
