"""Commands about one run."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ptde.cli.arguments import (
    FilePath,
    LogNames,
    Role,
    RunPath,
    Trusting,
    parse,
    show_own_parts,
    start_of,
    take,
    world_words,
)

BESIDES = """Besides the options below there are --preset NAME and --method NAME, which set
several of them at once (`ptde list` shows the names); --devices N, the GPUs, or cores of a
CPU, over which the run is divided (all by default); and --ray [HOST:PORT] with --actors N,
which let the machines of a Ray cluster play the copies of a world in processes."""
"""What the help of `ptde run` and `ptde teach` says of options that are not ``Run``'s."""


def configured(command: str, summary: str) -> Callable[[Sequence[str]], None]:
    """The command `ptde run` or `ptde teach`, whose options are those of ``Run``."""

    def run_command(words: Sequence[str]) -> None:
        from ptde.config import Run
        from ptde.folder import Goal
        from ptde.log import check_log
        from ptde.methods import METHODS, run_of, unused
        from ptde.pipeline import run
        from ptde.unread import check_read, typed, without_unread

        words, start = start_of(world_words(words))
        show_own_parts(words)
        words, method = take("method", words, METHODS)

        @dataclass(frozen=True)
        class Command(Run):
            out: Path | None = None
            """The run folder to write, which must not exist; the default is
            runs/WORLD-MAP-METHOD-SEED."""
            log: LogNames = ()
            """Logger of the rows of record.jsonl: tensorboard, wandb, or module:callable
            for one of your own. May be typed several times."""

        Command.__doc__ = f"{summary}\n\n{BESIDES}"
        names = [field.name for field in dataclasses.fields(Run)]
        default = Command(**{n: getattr(start, n) for n in names})
        parsed = parse(Command, words, command, default)
        check_log(parsed.log)  # before what takes seconds
        config = Run(**{n: getattr(parsed, n) for n in names})
        if method:
            if wrong := unused(method, config, start, typed(words)):
                raise ValueError("\n".join(say() for say in wrong.values()))
            config = run_of(method, config)
        else:
            check_read(config, start, typed(words))
        config = without_unread(config, start)  # of a preset
        goal: Goal = "teach" if command == "teach" else "run"
        run(config, parsed.out, goal, parsed.log).show()

    return run_command


def distill_command(words: Sequence[str]) -> None:
    """`ptde distill RUN`."""
    from ptde.distill.config import DistillConfig
    from ptde.pipeline import distill_run
    from ptde.run_json import load_run

    # An option that is not typed stays as it is in the run.
    folders = [Path(word) for word in words if (Path(word) / "run.json").is_file()]
    saved = load_run(folders[0])[0].apart.student if folders else DistillConfig()

    @dataclass(frozen=True)
    class Command(Trusting):
        """Stages 2 and 3 for a run that has a teacher; an earlier student and fine-tuned
        team are replaced.
        """

        run: RunPath
        """The run folder."""
        student: DistillConfig = saved
        log: LogNames = ()
        """Loggers in place of those that the run has had: tensorboard, wandb,
        module:callable; none for none."""

    parsed = parse(Command, words, "distill")
    config = dataclasses.replace(load_run(parsed.run)[0].apart, student=parsed.student)
    distill_run(parsed.run, config, parsed.log).show()


def finetune_command(words: Sequence[str]) -> None:
    """`ptde finetune RUN`."""
    from ptde.algos.finetune import FinetuneConfig
    from ptde.pipeline import finetune_run
    from ptde.run_json import load_run

    folders = [Path(word) for word in words if (Path(word) / "run.json").is_file()]
    saved = load_run(folders[0])[0].apart.finetune if folders else FinetuneConfig()

    @dataclass(frozen=True)
    class Command(Trusting):
        """Stage 3 for a run that has a student; an earlier fine-tuned team is replaced."""

        run: RunPath
        """The run folder."""
        finetune: FinetuneConfig = saved
        log: LogNames = ()
        """Loggers in place of those that the run has had: tensorboard, wandb,
        module:callable; none for none."""

    parsed = parse(Command, words, "finetune")
    config = dataclasses.replace(load_run(parsed.run)[0].apart, finetune=parsed.finetune)
    finetune_run(parsed.run, config, parsed.log).show()


def evaluate_command(words: Sequence[str]) -> None:
    """`ptde evaluate RUN`."""
    from ptde.pipeline import evaluate_run
    from ptde.validation import check_count, check_range

    @dataclass(frozen=True)
    class Command(Trusting):
        """Tests every finished role of a run on the same battles."""

        run: RunPath
        """The run folder."""
        episodes: int | None = None
        """Episodes of each role and seed, >= 1; the default is the run's own number."""

    parsed = parse(Command, words, "evaluate")
    if parsed.episodes is not None:
        check_range("episodes", parsed.episodes, 1, example=256)
        check_count("episodes", parsed.episodes)
    evaluate_run(parsed.run, parsed.episodes).show()


def resume_command(words: Sequence[str]) -> None:
    """`ptde resume RUN`."""
    from ptde.pipeline import resume

    @dataclass(frozen=True)
    class Command(Trusting):
        """Goes on with a run that was stopped or killed, to the same end, or (--steps) with
        one that is to become longer.
        """

        run: RunPath
        """The run folder."""
        steps: int | None = None
        """Joint steps, more than the run was to have (its --steps): it ends as if it had
        begun with them. A student that has learnt from its teacher is made anew."""
        log: LogNames = ()
        """Loggers in place of those that the run has had: tensorboard, wandb,
        module:callable; none for none."""

    parsed = parse(Command, words, "resume")
    resume(parsed.run, parsed.log, parsed.steps).show()


def replay_command(words: Sequence[str]) -> None:
    """`ptde replay RUN`."""
    from ptde.pipeline import replay_run
    from ptde.strategy import early_late
    from ptde.validation import check_count, check_range

    @dataclass(frozen=True)
    class Command(Trusting):
        """Draws one battle of a team as an animated GIF, or two moments of it."""

        run: RunPath
        """The run folder."""
        role: Role | None = None
        """Role of the team that plays; the default is that of the last stage."""
        episode: int = 0
        """Number of the battle, >= 0: each has another initial state."""
        seed: int | None = None
        """Which of the run's seeds plays; the default is its first."""
        early_late: bool = False
        """Instead of a GIF, draw a picture of an early and a late moment, as in the paper's
        Figure 8, and below it the run's baseline, or the team of --versus, in a battle with
        the same initial state."""
        versus: Path | None = None
        """For --early-late: another run on the same map. Its student plays, or its teacher
        if it has no student."""
        out: Path | None = None
        """The file to write; the default is replay.gif, or early-late.png, in the run
        folder."""

    p = parse(Command, words, "replay")
    check_range("episode", p.episode, 0, example=0)
    check_count("episode", p.episode)
    ends = ".png" if p.early_late else ".gif"
    if p.out is not None and (p.out.suffix != ends or p.out.is_dir()):
        raise ValueError(f"--out {p.out}: type a file whose name ends in {ends}")
    if p.early_late:
        print(early_late(p.run, p.role, p.versus, p.episode, p.seed, p.out))
        return
    if p.versus is not None:
        raise ValueError("--versus is for two moments of a battle: type --early-late, too")
    print(replay_run(p.run, p.role, p.episode, p.seed, p.out))


def report_command(words: Sequence[str]) -> None:
    """`ptde report RUN`."""
    from ptde.page import write_page
    from ptde.validation import check_range

    @dataclass(frozen=True)
    class Command(Trusting):
        """Writes one HTML file: curves, tables, battles to watch, how to run it again."""

        run: RunPath
        """The folder of a run, or of a comparison."""
        battles: int = 2
        """Number of battles to record for the page, which stays below 2 MB. >= 0."""
        out: Path | None = None
        """The file to write; the default is report.html in the folder."""

    p = parse(Command, words, "report")
    check_range("battles", p.battles, 0, example=2)
    print(write_page(p.run, p.out, p.battles))


def rank_command(words: Sequence[str]) -> None:
    """`ptde rank RUN FILE`."""
    from ptde.rank import rank_file

    @dataclass(frozen=True)
    class Command(Trusting):
        """Ranks the documents of a LETOR file: `qid Q0 document rank score run` each."""

        run: RunPath
        """The run folder of a team that ranks (--world ranking)."""
        file: FilePath
        """The LETOR file, plain or gzip."""
        role: Role | None = None
        """Role of the team that ranks; the default is the student, if the run has one."""
        out: Path | None = None
        """The file to write; the default is FILE.run in the run folder."""
        seed: int | None = None
        """Which of the run's seeds ranks; the default is its first."""
        features: int = 0
        """Features of a row, >= 0; 0 takes the largest id in the file."""

    parsed = parse(Command, words, "rank")
    p = parsed
    print(rank_file(p.run, p.file, p.role, p.out, p.seed, p.features))
