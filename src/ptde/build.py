"""From a run's config to what it is made of: world, networks, learners, stages."""

from dataclasses import replace

import jax
import psutil
from jaxtyping import Array, Key

from ptde.agents.actor import ActorNetwork, Critic
from ptde.agents.utility import UtilityNetwork
from ptde.algos.base import AbstractLearner
from ptde.algos.finetune import Finetuner, Handed
from ptde.algos.mappo import Actor, MappoLearner
from ptde.algos.online import AbstractOnlineStudent, OnlineInfoStudent, OnlineValueStudent
from ptde.algos.value import ValueLearner, ValueModel
from ptde.config import Run
from ptde.envs.base import AbstractWorld
from ptde.envs.registry import WORLDS, make_env
from ptde.info import AbstractInfo, make_info
from ptde.jobs.checkpoint import size_of
from ptde.jobs.distill import Distillation
from ptde.jobs.progress import Reading
from ptde.jobs.teach import Training
from ptde.mixers import MIXERS
from ptde.ops.keys import new_key
from ptde.options import changed
from ptde.rollout.schedule import Schedule
from ptde.rollout.seeds import Stream
from ptde.types import EnvSpec

LIMIT_OPTIONS = {
    "smax": "--time-limit",
    "football": "--football.limit",
    "processes": "--processes.limit",
}
"""What sets a world's time limit."""

SEGMENTS = {"value": 128, "mappo": 400}
"""Joint steps that a segment has about, by algorithm: Yu et al. give MAPPO 400."""


def world(run: Run) -> AbstractWorld:
    """The run's world. ValueError names the nearest map there is."""
    full_sight = run.smax.full_sight or run.teacher_sight == "all"
    smax = replace(run.smax, full_sight=full_sight)
    with Reading() as progress:
        groups = {**vars(run), "smax": smax}
        # What a world does not say it reads, it does not get: see unread.py.
        names = {name.partition(".")[0] for name in WORLDS[run.world].reads}
        options = {name: groups[name] for name in (*names, "envs")}
        return make_env(run.world, run.map, {**options, "progress": progress})


def segment_of(run: Run, spec: EnvSpec) -> int:
    """Joint steps of each copy per collection.

    Between two episodes lies one step, the restart; so k episodes of the longest take
    k (limit + 1) - 1 steps, and none is left unfinished for being long.
    """
    if run.segment:
        return run.segment
    about, longest = SEGMENTS[run.algo], spec.time_limit + 1
    episodes = max(1, round((about + 1) / longest))
    if run.algo == "value" and run.value.segment_episodes:
        episodes = run.value.segment_episodes
    return episodes * longest - 1


def schedule(run: Run, spec: EnvSpec) -> Schedule:
    """Stage 1 in iterations and periods."""
    return Schedule(run.envs, segment_of(run, spec), run.stages.teach, run.test_every)


def value_model(run: Run, spec: EnvSpec, *, key: Key[Array, ""]) -> ValueModel:
    """Untrained networks of the value learner."""
    key_network, key_info, key_mixer = jax.random.split(key, 3)
    seen = spec if run.teacher_sight == "own" else spec.with_full_sight()
    info = make_info(run.info, seen, run.info_config, key=key_info)
    network = UtilityNetwork(
        seen.local_dim, info.z_dim, spec.n_actions, run.hidden, key=key_network
    )
    mixer = MIXERS[run.mixer](spec, run.mixer_config, key=key_mixer)
    return ValueModel(network, info, mixer, run.teacher_sight)


def mappo_models(run: Run, spec: EnvSpec, *, key: Key[Array, ""]) -> tuple[Actor, Critic]:
    """Untrained networks of MAPPO."""
    key_network, key_info, key_critic = jax.random.split(key, 3)
    info = make_info(run.info, spec, run.info_config, key=key_info)
    network = ActorNetwork(
        spec.local_dim, info.z_dim, spec.n_actions, run.hidden, key=key_network
    )
    critic = Critic(spec.state_dim, spec.n_agents, run.hidden, key=key_critic)
    return Actor(network, info), critic


def learner(run: Run, spec: EnvSpec) -> AbstractLearner:
    """The learner of stage 1."""
    if run.algo == "mappo":
        config = run.mappo.on(run.map)
        return MappoLearner(lambda key: mappo_models(run, spec, key=key), config)
    return ValueLearner(
        lambda key: value_model(run, spec, key=key),
        run.value,
        _companion(run, spec),
        total=run.stages.teach,
    )


def _companion(run: Run, spec: EnvSpec) -> AbstractOnlineStudent | None:
    if not run.online_distillation:
        return None
    if run.info == "none":
        return OnlineValueStudent(spec, run.hidden)
    z_dim, student = _info(run, spec).z_dim, run.student
    return OnlineInfoStudent(lambda key: student.make(spec, z_dim, key=key), student.loss())


def _info(run: Run, spec: EnvSpec) -> AbstractInfo:
    """The information module in shapes."""

    def make(key):
        return make_info(run.info, spec, run.info_config, key=key)

    return jax.eval_shape(make, new_key(0))


def training(run: Run, env: AbstractWorld, name: str) -> Training:
    """Stage 1."""
    return Training(
        name=name,
        algo=learner(run, env.spec),
        env=env,
        schedule=schedule(run, env.spec),
        seed=run.seed,
        seeds=run.seeds,
        test_episodes=run.test_episodes,
        checkpoint_every=run.checkpoint_every,
        sample_z=_info(run, env.spec).stochastic and run.z_test == "sample",
    )


def distillation(run: Run, env: AbstractWorld) -> Distillation:
    """Stage 2."""
    return Distillation(
        env=env,
        config=run.student,
        envs=run.envs,
        segment=segment_of(run, env.spec),
        seed=run.seed,
        seeds=run.seeds,
        steps=run.stages.distil,
        before=schedule(run, env.spec).total,
    )


def finetuning(run: Run, env: AbstractWorld, handed: Handed | None) -> Training:
    """Stage 3; without what it is ``handed``, in shapes only."""
    f, spec = run.finetune, env.spec
    steps = run.stages.finetune
    plan = Schedule(run.envs, segment_of(run, spec), steps, max(1, -(-steps // f.tests)))
    stage_2 = distillation(run, env)
    return Training(
        name="finetuned",
        algo=Finetuner(_finetuner(run, spec, plan), f.held(run.algo)),
        env=env,
        schedule=plan,
        seed=run.seed,
        seeds=run.seeds,
        test_episodes=f.test_episodes,
        checkpoint_every=run.checkpoint_every,
        sample_z=False,
        tested="student",
        before=stage_2.before + stage_2.joint_steps,
        given=handed,
        streams=(Stream.FINETUNE, Stream.FINETUNE_TEST),
    )


def _finetuner(run: Run, spec: EnvSpec, plan: Schedule) -> AbstractLearner:
    """Stage 1's learner, with stage 3's values."""
    f = run.finetune
    waits = round(f.warm_up * plan.collections)  # collections
    if run.algo == "mappo":
        config = replace(run.mappo.on(run.map), lr=f.lr)
        return MappoLearner(_given, config, waits, f.parts)
    value = changed(
        run.value,
        batch=min(run.value.batch, plan.collections * run.envs),
        lr=f.lr,
        lr_end=0.0,
        average=f.average,
        updates=f.updates,
        epsilon_start=f.epsilon,
        epsilon_end=f.epsilon,
    )
    return ValueLearner(
        _given,
        value,
        total=plan.total,
        warm_up=min(waits * run.envs, value.buffer),
        trains=f.parts,
    )


def _given(key: Key[Array, ""]):
    raise ValueError("a team that is fine-tuned is given, not made")


def check_fits(run: Run, env: AbstractWorld) -> None:
    """ValueError with the numbers if the run does not fit into the free memory."""
    env.check_copies(run.envs, run.seeds)
    limit, segment = env.spec.time_limit, segment_of(run, env.spec)
    if limit > segment:
        flag = LIMIT_OPTIONS.get(run.world)
        raise ValueError(
            f"--segment {segment} cannot hold an episode of {env.spec.name}, which may "
            f"take {limit} joint steps: leave --segment away, or type --segment {limit}"
            + (f" or {flag} {segment}" if flag else "")
        )
    distillation(run, env).check_batch()
    _check_memory(training(run, env, "teacher"), run.value.buffer)


def _check_memory(training: Training, buffer: int) -> None:
    state = training.shapes()
    need = size_of(state)
    replay = size_of(getattr(state.learner, "replay", ()))
    # The rest: a compiled update's own arrays, and the copy that a checkpoint makes.
    free = _free_memory()
    if need + replay > free and not replay:
        raise ValueError(
            f"the run needs {need / 1e9:.2f} GB and {free / 1e9:.2f} GB are free: type a "
            "smaller --envs or --segment"
        )
    if need + replay > free:
        fitting = int(buffer * 0.8 * max(free - need + replay, 0) / (2 * replay))
        raise ValueError(
            f"a replay of --buffer {buffer} segments needs {replay / 1e9:.2f} GB, "
            f"the run {need / 1e9:.2f} GB and as much again to save it; "
            f"{free / 1e9:.2f} GB are free. Type --buffer {max(fitting, 1)} or less"
        )


def _free_memory() -> int:
    device = jax.devices()[0]
    stats = device.memory_stats() if device.platform != "cpu" else None
    if stats:
        return stats["bytes_limit"] - stats["bytes_in_use"]
    return psutil.virtual_memory().available
