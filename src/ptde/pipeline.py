"""PTDE from one config: teach, distil, evaluate, draw (Paper Fig. 5).

Every stage finds in the run folder (``folder.py``) what the stage before wrote.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import optax

from ptde import anew, build
from ptde.algos.base import Team
from ptde.algos.finetune import Handed, proposed
from ptde.algos.registry import ALGOS, algo_of
from ptde.budget import Budget
from ptde.config import Run, flag, for_role
from ptde.envs.base import AbstractWorld
from ptde.evaluation import Outcome, evaluate, evaluated, replay_key, team_policy
from ptde.files import check_writable, shell
from ptde.folder import ROLES, Goal, RunFolder
from ptde.jobs.distill import distill
from ptde.jobs.job import Diverged, OnRow
from ptde.jobs.progress import console, say
from ptde.jobs.teach import check_last_state, last_state, take_replay, teach
from ptde.log import RunLog, check_log
from ptde.options import flatten
from ptde.report.registry import film
from ptde.rollout.cache import use_compilation_cache
from ptde.rollout.devices import as_before, on_one_thread, usable
from ptde.unread import check_read


def run(
    config: Run,
    out: Path | str | None = None,
    goal: Goal = "run",
    log: Sequence[str] = (),
) -> Outcome:
    """Teaches, distils, fine-tunes and evaluates (``goal="teach"``: stage 1 alone).

    Args:
        config: the run's config.
        out: the run folder to write; None takes ``runs/WORLD-MAP-METHOD-SEED``.
        goal: how far it goes.
        log: loggers of the rows (``ptde.log``): tensorboard, wandb, ``module:callable``.

    Raises:
        ValueError: the config cannot be run, or holds an option that the run does not
            read, or a logger is not installed; nothing was written.
        Interrupted: Ctrl-C; ``resume`` goes on.
        Diverged: a loss was not finite.
    """
    check_log(log)
    check_read(config)
    use_compilation_cache()
    env = build.world(config)
    build.check_fits(config, env)
    for note in env.notes:
        say(f"{env.spec.name}: {note}")
    if config.teacher_sight == "all" and not env.spec.full_obs_dim:
        console().print(
            f"{env.spec.name} has no observation of unlimited sight: the teacher reads its "
            "own observation and the state"
        )
    folder = RunFolder.create(config, None if out is None else Path(out), goal)
    with closing(env), folder.alone():
        return _continue(folder, env, log)


def resume(path: Path | str, log: Sequence[str] = (), steps: int | None = None) -> Outcome:
    """Resumes a run, from its newest undamaged checkpoint to its goal.

    Args:
        path: the run folder.
        log: loggers in place of those that the run has had.
        steps: more joint steps than the run was to have: it ends as if it had begun with
            them. A student that has learnt from its teacher is made anew.

    Raises:
        ValueError: ``steps`` are no more than before, or there is no checkpoint to go on
            from.
    """
    use_compilation_cache()
    folder = RunFolder(Path(path))
    check_log(log, folder.path)
    new = None if steps is None else anew.longer(folder, steps)
    with closing(build.world(folder.run)) as env, folder.alone():
        if new is None:
            return _continue(folder, env, log)
        anew.check_goes_on(folder, new, env)
        return _continue(folder, env, log, new, ROLES)


def distill_run(
    path: Path | str, config: Run | None = None, log: Sequence[str] = ()
) -> Outcome:
    """Runs stage 2 for a run that has a teacher; an earlier student is replaced.

    ``config`` may change options of stage 2. ValueError if there is nothing to distil.
    """
    use_compilation_cache()
    folder = RunFolder(Path(path))
    if not folder.has("teacher"):
        raise ValueError(
            f"{path} has no finished teacher to distil: `ptde resume {shell(path)}` "
            "finishes it"
        )
    if not folder.run.distils:
        why = (
            "its student learnt beside its teacher (--online-distillation)"
            if folder.run.online_distillation
            else "its team uses no information module (--info none)"
        )
        raise ValueError(
            f"{path} has nothing to distil, because {why}: teach another with "
            "`ptde teach --info gip`"
        )
    new = folder.run.apart if config is None else config
    anew.check_budget(folder, new)
    check_read(new, folder.run.apart)
    check_log(log, folder.path)
    with closing(build.world(new)) as env, folder.alone():
        build.check_fits(new, env)
        folder.teacher("teacher", new, env)  # raises before anything is removed
        if new.stage_2.data == "replay":
            training = build.training(new, env, "teacher")
            check_last_state(training, folder.path / "teacher")
        return _continue(folder, env, log, new, ("student", "finetuned"), "run")


def finetune_run(
    path: Path | str, config: Run | None = None, log: Sequence[str] = ()
) -> Outcome:
    """Runs stage 3 for a run that has a student; an earlier fine-tuned team is replaced.

    ``config`` may change options of stage 3. ValueError if there is nothing to fine-tune.
    """
    use_compilation_cache()
    folder = RunFolder(Path(path))
    if not folder.run.distils:
        raise ValueError(
            f"{path} is a team without information, so it has no student to fine-tune: "
            f"`ptde resume {shell(path)} --steps {2 * folder.run.steps}` lets it learn for "
            "longer"
        )
    if not folder.has("student"):
        raise ValueError(
            f"{path} has no distilled student to fine-tune: `ptde distill {shell(path)}` "
            "makes one"
        )
    new = folder.run.apart if config is None else config
    if algo_of(new.algo).tune is None:
        raise ValueError(
            f"the learner {new.algo} has no stage 3 on the command line: "
            f"type one of {', '.join(n for n, algo in ALGOS.items() if algo.tune)}"
        )
    if not new.finetunes:
        raise ValueError(
            "stage 3 has no joint steps: type --finetune.steps, e.g. "
            f"--finetune.steps {proposed(new.steps)}"
        )
    anew.check_budget(folder, new)
    check_read(new, folder.run.apart)
    check_log(log, folder.path)
    with closing(build.world(new)) as env, folder.alone():
        folder.central(new, env)  # raises if it is missing, before anything is removed
        return _continue(folder, env, log, new, ("finetuned",), "run")


def _continue(
    folder: RunFolder,
    env: AbstractWorld,
    asked: Sequence[str],
    new: Run | None = None,
    roles: Sequence[str] = (),
    goal: Goal | None = None,
) -> Outcome:
    """Finishes a run; with a ``new`` config these ``roles`` are made anew, or go on."""
    env.keep(folder.path)
    with RunLog(folder.path, (new or folder.run).to_json(), asked) as log:
        if new is not None:  # once the loggers have started: one that cannot costs nothing
            anew.remove(folder, *roles)
            folder.rewrite(new, **({"goal": goal} if goal else {}))
        missing = [role for role in folder.expected if not folder.has(role)]
        _finish(folder, env, missing, log)
    found = None if missing else evaluated(folder)
    return found or evaluate(folder, env)


def _finish(folder: RunFolder, env: AbstractWorld, missing: list[str], log: RunLog) -> None:
    """Runs the stages of the roles that are missing."""
    config, before = folder.run, folder.meta["devices"]
    with as_before(before) as same:
        threads = folder.meta["one_thread"] in (None, on_one_thread())
        if not folder.begun and not (same and threads):
            folder.rewrite(config)  # which notes the devices of now
        elif missing and not same:
            say(
                f"{folder.path} began on {before} device(s), and goes on on {usable()}: "
                "its end is the same up to the order of sums"
            )
        elif missing and not threads:
            say(
                f"{folder.path} goes on with its matrix products on other threads: its end "
                "is the same up to the order of sums"
            )
        failed: Diverged | None = None
        for role in missing:
            if failed and role != "baseline":  # which learns from none of the others
                continue
            try:
                _make(folder, env, role, log)
            except Diverged as error:
                if role not in ("student", "finetuned"):
                    raise
                failed = error
        if failed:
            raise failed


def _make(folder: RunFolder, env: AbstractWorld, role: str, log: RunLog) -> None:
    """Runs the stage of a role."""
    if folder.has(role):  # a student that learnt beside its teacher
        return
    if role == "student" and folder.run.distils:
        folder.finish(role, _distil(folder, env, log))
    elif role == "finetuned":
        folder.finish(role, _finetune(folder, env, log))
    else:
        _teach(folder, env, "teacher" if role == "student" else role, log)


@contextmanager
def _advising(folder: RunFolder, role: str) -> Iterator[None]:
    """A context in which a divergence names the option of this role's rate."""
    try:
        yield
    except Diverged as error:
        raise Diverged(f"{error}. {_slower(folder, role)}") from None


def _slower(folder: RunFolder, role: str) -> str:
    """What to type after a role's loss was not finite."""
    run, path, options = folder.run, folder.path, flatten(folder.run)
    rate = f"{run.algo}.lr"
    if role == "finetuned":
        lower = (run.finetune.lr or options[rate]) / 5
        return f"Try `ptde finetune {shell(path)} --finetune.lr {lower:.1g}`"
    if role == "student" and not run.distils:  # it learnt beside its teacher before
        return "Start another run with a smaller --student.lr"
    if role == "student":
        return f"Try `ptde distill {shell(path)} --student.lr {run.stage_2.rate / 5:.1g}`"
    words = f"{flag(rate)} or {flag(f'{run.algo}.max_grad_norm')}"
    smaller = words if rate in options else "learning rate"
    return f"Start another run with a smaller {smaller}: a resumed one keeps its options"


def _teach(folder: RunFolder, env: AbstractWorld, role: str, log: RunLog) -> None:
    """Runs stage 1, and finishes a student that learnt beside its teacher."""
    config = for_role(folder.run, role)
    build.check_fits(config, env)
    training = build.training(config, env, role)
    hears: list[OnRow] = log.hears(role)
    if role == "teacher":
        hears = [*hears, Budget(config, env, folder.expected, say)]
    with _advising(folder, role):
        teacher, team, central = teach(training, folder.path / role, hears)
    if not folder.has(role):
        folder.finish(role, teacher, central if role == "teacher" else None)
    if team is not None:
        if config.learns_on:
            team = _distil(folder, env, log, team)
        folder.finish("student", team)


def _distil(
    folder: RunFolder, env: AbstractWorld, log: RunLog, beside: Team | None = None
) -> Team:
    """Runs stage 2, for a new student or for one that learnt ``beside`` its teacher."""
    with _advising(folder, "student"):
        return _fit(folder, env, log, beside)


def _fit(folder: RunFolder, env: AbstractWorld, log: RunLog, beside: Team | None) -> Team:
    config, path = folder.run, folder.path / "student"
    task, hears = build.distillation(config, env), log.hears("student")
    teacher = folder.teacher("teacher", config, env)
    if task.config.data == "teacher":
        return distill(task, teacher, path, on_row=hears)
    if task.config.data == "own":
        team = teach(task.own(teacher, config.checkpoint_every), path, hears).team
        assert team is not None
        return team
    training = build.training(config, env, "teacher")
    state = lambda: last_state(training, folder.path / "teacher")
    if beside is None:
        replay = lambda: take_replay(state())
        return distill(task, teacher, path, replay=replay, on_row=hears)
    last = state()
    made = optax.tree_utils.tree_get(last.learner.learnt.student.optimiser, "count")
    left = max(1, task.config.gradient_steps - int(made[0]))
    task = replace(task, config=replace(task.config, steps=left))
    replay = lambda: take_replay(last)
    return distill(task, teacher, path, beside.student, replay, hears)


def _finetune(folder: RunFolder, env: AbstractWorld, log: RunLog) -> Team:
    """Runs stage 3."""
    config = folder.run
    held = folder.teacher("teacher", config, env) if build.leash(config) else None
    team, central = folder.team("student", config, env), folder.central(config, env)
    task = build.finetuning(config, env, Handed(team, central, held))
    with _advising(folder, "finetuned"):
        tuned = teach(task, folder.path / "finetuned", log.hears("finetuned")).team
    assert tuned is not None
    return tuned


def evaluate_run(path: Path | str, episodes: int | None = None) -> Outcome:
    """Tests every finished role of a run on the same keys, and writes the result.

    Args:
        path: the run folder.
        episodes: episodes of each role and seed; None takes the run's own number.
    """
    use_compilation_cache()
    folder = RunFolder(Path(path))
    check_writable(folder.path)  # before what takes minutes
    with closing(build.world(folder.run)) as env:
        return evaluate(folder, env, episodes)


def replay_run(
    path: Path | str,
    role: str | None = None,
    episode: int = 0,
    seed: int | None = None,
    out: Path | str | None = None,
) -> Path:
    """Draws one battle of a role as an animated GIF.

    Args:
        path: the run folder.
        role: teacher, student, finetuned or baseline; None is the team of the last stage.
        episode: number of the battle; each has another initial state. >= 0.
        seed: the one of the run's seeds that plays; None is its first.
        out: where to write; None is ``replay.gif`` in the run folder.
    """
    use_compilation_cache()
    folder = RunFolder(Path(path))
    role = folder.decentralised if role is None else role
    folder.check_has(role)
    seed = folder.run.seed if seed is None else seed
    target = Path(out) if out is not None else folder.path / "replay.gif"
    with closing(build.world(folder.run)) as env:
        policy = team_policy(folder, env, role, seed)
        key, records = replay_key(seed, episode), target.parent.absolute()
        return film(folder.run.world, env, policy, records, key=key).draw(target)
