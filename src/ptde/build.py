"""From a run's config to its parts: the world, the learner, the stages."""

from dataclasses import replace

import jax
import psutil

from ptde.algos.base import AbstractLearner
from ptde.algos.finetune import Finetuner, Handed
from ptde.algos.registry import Tuning, algo_of
from ptde.config import Run, flag
from ptde.envs.base import AbstractWorld
from ptde.envs.registry import WORLDS, make_env
from ptde.info import info_shapes
from ptde.jobs.checkpoint import size_of
from ptde.jobs.distillation import Distillation
from ptde.jobs.progress import Reading
from ptde.jobs.teach import Training
from ptde.options import flatten
from ptde.rollout.actors import check_actors
from ptde.rollout.schedule import Schedule
from ptde.rollout.seeds import Stream
from ptde.trial import check_own_parts
from ptde.types import EnvSpec

LIMIT_OPTIONS = {
    "smax": "--time-limit",
    "football": "--football.limit",
    "processes": "--processes.limit",
}
"""The options that set a world's time limit."""

EPISODES = (
    "test_episodes",
    "episodes",
    "student.test_episodes",
    "finetune.test_episodes",
)
"""Options for numbers of test episodes, each of which takes memory."""


def world(run: Run) -> AbstractWorld:
    """The run's world. ValueError names the nearest map that there is."""
    full_sight = run.smax.full_sight or run.teacher_sight == "all"
    smax = replace(run.smax, full_sight=full_sight)
    with Reading() as progress:
        groups = {**vars(run), "smax": smax}
        # A world gets only the options that it says it reads: see unread.py.
        names = {name.partition(".")[0] for name in WORLDS[run.world].reads}
        options = {name: groups[name] for name in (*names, "envs")}
        return make_env(run.world, run.map, {**options, "progress": progress})


def segment_of(run: Run, spec: EnvSpec) -> int:
    """Length of a segment: the joint steps of each copy per collection.

    Between two episodes lies one step, the restart; so k of the longest episodes take
    k (limit + 1) - 1 steps, and no episode is cut for being long.
    """
    if run.segment:
        return run.segment
    about, longest = algo_of(run.algo).segment, spec.time_limit + 1
    episodes = max(1, round((about + 1) / longest))
    if algo_of(run.algo).off_policy and run.value.segment_episodes:
        episodes = run.value.segment_episodes
    return episodes * longest - 1


def schedule(run: Run, spec: EnvSpec) -> Schedule:
    """The schedule of stage 1, in iterations and periods."""
    return Schedule(run.envs, segment_of(run, spec), run.stages.teach, run.test_every)


def learner(run: Run, spec: EnvSpec) -> AbstractLearner:
    """The learner of stage 1."""
    return algo_of(run.algo).make(run, spec)


def training(run: Run, env: AbstractWorld, name: str) -> Training:
    """The training of stage 1."""
    return Training(
        name=name,
        algo=learner(run, env.spec),
        env=env,
        schedule=schedule(run, env.spec),
        seed=run.seed,
        seeds=run.seeds,
        test_episodes=run.test_episodes,
        checkpoint_every=run.checkpoint_every,
        sample_z=info_shapes(run.info, env.spec, run.info_config).stochastic
        and run.z_test == "sample",
    )


def distillation(run: Run, env: AbstractWorld) -> Distillation:
    """The task of stage 2."""
    return Distillation(
        env=env,
        config=run.stage_2,
        envs=run.envs,
        segment=segment_of(run, env.spec),
        seed=run.seed,
        seeds=run.seeds,
        steps=run.stages.distil,
        before=schedule(run, env.spec).total,
        test_episodes=run.test_episodes,
    )


def leash(run: Run) -> float:
    """The weight of stage 3's leash, by default the learner's."""
    typed = run.finetune.leash
    return algo_of(run.algo).leash if typed is None else typed


def finetuning(run: Run, env: AbstractWorld, handed: Handed | None) -> Training:
    """The training of stage 3; without ``handed``, in shapes only."""
    f, spec = run.finetune, env.spec
    steps = run.stages.finetune
    plan = Schedule(run.envs, segment_of(run, spec), steps, max(1, -(-steps // f.tests)))
    tuning = Tuning(plan.total, plan.collections, round(f.warm_up * plan.collections))
    second, tune = distillation(run, env), algo_of(run.algo).tune
    assert tune is not None  # else the run has no such stage
    return Training(
        name="finetuned",
        algo=Finetuner(tune(run, tuning), leash(run)),
        env=env,
        schedule=plan,
        seed=run.seed,
        seeds=run.seeds,
        test_episodes=f.test_episodes or run.test_episodes,
        checkpoint_every=run.checkpoint_every,
        sample_z=False,
        tested="student",
        before=second.before + second.joint_steps,
        given=handed,
        streams=(Stream.FINETUNE, Stream.FINETUNE_TEST),
    )


def check_fits(run: Run, env: AbstractWorld) -> None:
    """ValueError with what to type if a part of the user's own is none, or the run does not
    fit into its segment or memory.
    """
    check_own_parts(run, env.spec)
    here = 1 if check_actors(env) else run.envs  # each actor's machine is asked there
    env.check_copies(here, run.seeds)
    limit, segment = env.spec.time_limit, segment_of(run, env.spec)
    if limit > segment:
        flag = LIMIT_OPTIONS.get(run.world)
        raise ValueError(
            f"--segment {segment} cannot hold an episode of {env.spec.name}, which may "
            f"take {limit} joint steps: leave --segment away, or type --segment {limit}"
            + (f" or {flag} {segment}" if flag else "")
        )
    distillation(run, env).check_batch()
    _check_memory(run, env)


def _check_memory(run: Run, env: AbstractWorld) -> None:
    """Raises ValueError, with what would fit, if an option asks for too much memory."""
    free, spec, buffer = _free_memory(), env.spec, run.buffer
    step = spec.n_agents * (spec.local_dim + spec.n_actions) + spec.state_dim
    each, options = 4 * step * segment_of(run, spec), flatten(run)
    _check_part("envs", run.envs, each, free)
    _check_part("seeds", run.seeds, each * run.envs, free)
    for option in EPISODES:
        _check_part(option, options[option], 4 * step * run.seeds, free)
    state = training(run, env, "teacher").shapes()
    need = size_of(state)
    replay = size_of(getattr(state.learner, "replay", ()))
    # Networks, averages and optimiser states; an update holds gradients as well.
    if need - replay > free:
        raise ValueError(
            f"networks of --hidden {run.hidden} need {(need - replay) / 1e9:,.2f} GB, of "
            f"{run.seeds} seed(s) together, and {free / 1e9:.2f} GB are free: type a "
            "smaller --hidden" + (" or --seeds" if run.seeds > 1 else "")
        )
    # When a run resumes, the largest array is there twice: as it is read, and in its place.
    again = max(size_of(x) for x in jax.tree.leaves(state))
    if need + again > free and not (replay and buffer):
        raise ValueError(
            f"the run needs {need / 1e9:.2f} GB and {free / 1e9:.2f} GB are free: type a "
            "smaller --envs or --segment"
        )
    if need + again > free:
        option = flag(algo_of(run.algo).buffer)
        fitting = int(buffer * 0.8 * max(free - need + replay, 0) / (replay + again))
        raise ValueError(
            f"a replay of {option} {buffer} segments needs {replay / 1e9:.2f} GB, "
            f"the run {need / 1e9:.2f} GB, and {again / 1e9:.2f} GB more to resume; "
            f"{free / 1e9:.2f} GB are free. Type {option} {max(fitting, 1)} or less"
        )
    if run.distils:
        _check_student_data(run, env, replay, free)


def _check_student_data(run: Run, env: AbstractWorld, replay: int, free: int) -> None:
    """ValueError if stage 2's data do not fit: its segments, with the teacher's z and h at
    each step. Those of the replay are made while that is there, and those of the teacher's
    episodes are there twice as they are divided; the student's own are part of each
    checkpoint, and so are there twice as one is read.
    """
    task, spec = distillation(run, env), env.spec
    data = task.config.data
    rolls = {
        "replay": -(-run.buffer // task.envs),
        "own": task.own_schedule.collections,
        "teacher": task.rolls,
    }[data]
    floats = spec.local_dim + run.info_config.z + (run.hidden if task.config.whole else 0)
    step = spec.n_agents * (4 * floats + spec.n_actions + 1)
    segments = rolls * task.envs
    need = segments * task.segment * step * run.seeds
    beside = {"replay": replay, "own": need, "teacher": need}[data]
    if need + beside > free:
        share = 0.8 * free / (need + beside)
        fewer = max(1, int(segments * share))
        option = {
            "replay": flag(algo_of(run.algo).buffer, fewer),
            "own": "--student.share 0 --student.data-steps "
            f"{max(1, int(task.joint_steps * share))}",
            "teacher": f"--student.share 0 --student.data-segments {fewer}",
        }[data]
        also = {
            "replay": ", beside the replay's",
            "own": ", and resuming",
            "teacher": ", and dividing them",
        }
        raise ValueError(
            f"the student's data, {segments} segments, need {need / 1e9:.2f} GB"
            f"{also[data]} {beside / 1e9:.2f} GB, and {free / 1e9:.2f} GB are free: "
            f"type {option} or less"
        )


def _check_part(option: str, count: int, each: int, free: int) -> None:
    """ValueError if ``count`` times ``each`` bytes are more than are ``free``."""
    if count * each > free:
        typed = flag(option)
        raise ValueError(
            f"{typed} {count} needs at least {count * each / 1e9:,.2f} GB and "
            f"{free / 1e9:.2f} GB are free: type {typed} {max(free // (2 * each), 1)} "
            "or less"
        )


def _free_memory() -> int:
    device = jax.devices()[0]
    stats = device.memory_stats() if device.platform != "cpu" else None
    if stats:
        return stats["bytes_limit"] - stats["bytes_in_use"]
    return psutil.virtual_memory().available
