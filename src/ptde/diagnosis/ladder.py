"""`ptde diagnose`: fits the ladder's students, tests all teams, and says what they show."""

import itertools
import json
import time
from contextlib import closing
from pathlib import Path

from ptde import build
from ptde.algos.base import Team
from ptde.diagnosis.decisions import Pair, agreement
from ptde.diagnosis.fit import Fitter
from ptde.diagnosis.found import FILE, PICTURE, Diagnosis
from ptde.diagnosis.gap import NOTHING, Lack, Part, lacking, lacks_of, orders, parts, steps
from ptde.diagnosis.sentence import DEALT, sentence
from ptde.diagnosis.takeover import Dealt
from ptde.diagnosis.tested import Tested
from ptde.distill.config import DistillConfig
from ptde.envs.base import AbstractWorld
from ptde.files import shell, write_whole
from ptde.folder import RunFolder
from ptde.jobs.progress import console
from ptde.rollout.cache import use_compilation_cache
from ptde.rollout.seeds import Stream, stream_keys
from ptde.validation import check_range

MEMORYLESS: Lack = frozenset({"memory"})
"""What the student of the ladder lacks that sees O_i alone."""
SHOWN = "O_i + memory + the state"


def diagnose(
    path: Path | str,
    episodes: int | None = None,
    quick: bool = False,
    out: Path | str | None = None,
) -> Diagnosis:
    """Says what a run's student lacks of its teacher, and which option to try.

    Writes ``diagnosis.json`` and ``diagnosis.png``. The students that it fits are kept in
    the run folder: a second call goes on where one was stopped.

    Args:
        path: the run folder, whose student is distilled.
        episodes: of each team and seed; None takes the run's own number. >= 2.
        quick: fits fewer students, for one order of what the student lacks instead of the
            mean of all, and leaves out teams of both.
        out: the folder to write to; None is the run folder.

    Raises:
        ValueError: the run has no distilled student, or none yet.
        Interrupted: Ctrl-C; the same call goes on.
    """
    folder = RunFolder(Path(path))
    check_diagnosable(folder)
    episodes = max(2, folder.run.episodes) if episodes is None else episodes
    check_range("episodes", episodes, 2, example=256)
    target = folder.path if out is None else Path(out)
    if target.exists() and not target.is_dir():
        raise ValueError(f"--out {target} is a file: type a folder")
    use_compilation_cache()
    with closing(build.world(folder.run)) as env, folder.alone("diagnose"):
        found = _diagnose(folder, env, episodes, quick, target)
    from ptde.diagnosis.picture import draw  # Matplotlib is slow to import

    write_whole(target / FILE, json.dumps(found.to_json(), indent=1))
    draw(found, target / PICTURE)
    return found


def check_diagnosable(folder: RunFolder) -> None:
    """ValueError for a run without a teacher and a student of stage 2."""
    run, path = folder.run, folder.path
    if run.info == "none":
        raise ValueError(
            f"{path} has no z to distil (--info none), and so no student that could lack "
            "something of it: `ptde run --info gip` makes both"
        )
    if not run.distils:
        raise ValueError(
            f"the student of {path} learnt beside its teacher, while that still changed: "
            "`ptde run --no-online-distillation` makes one in a second stage, which can be "
            "diagnosed"
        )
    if folder.has("teacher") and folder.has("student"):
        return
    if folder.has("teacher") and folder.meta["goal"] == "teach":
        raise ValueError(
            f"{path} has no student to diagnose: `ptde distill {shell(path)}` makes one"
        )
    raise ValueError(
        f"{path} has no finished student yet: `ptde resume {shell(path)}` finishes it"
    )


def _diagnose(
    folder: RunFolder, env: AbstractWorld, episodes: int, quick: bool, target: Path
) -> Diagnosis:
    run = folder.run
    team = folder.team("student", run, env)
    pair = Pair(folder.teacher("teacher", run, env), team)
    tested = Tested(run, env, episodes)
    ways = orders(lacks_of(run.stage_2), quick)
    names = _climb(tested, folder, pair, steps(ways), quick)
    if not quick:
        tested.add(DEALT, Dealt(*pair))
    reached = {lack: tested.reached[name] for lack, name in names.items()}
    found = parts(tested.reached["teacher"], tested.reached[SHOWN], ways, reached)
    gap = Part.of(tested.lost("teacher", "student"))
    length = build.segment_of(run, env.spec)
    keys = stream_keys(Stream.DIAGNOSIS, run.seed, run.seeds)
    alike = agreement(env.held_out(), pair, run.envs, length, keys)
    means = {rung.team: rung.performance for rung in tested.ladder}
    return Diagnosis(
        summary=sentence(run, folder.path, tested.measure, means, gap, found),
        measure=tested.measure,
        episodes=tested.reached["teacher"].size,
        gap=gap,
        parts=found,
        ladder=tuple(tested.ladder),
        decisions=tuple(row.to_json() for row in alike),
        takeover=() if quick else tuple(tested.takeover(pair, alike[0].deviation)),
        folder=target,
    )


def _climb(
    tested: Tested, folder: RunFolder, pair: Pair, lacks: list[Lack], quick: bool
) -> dict[Lack, str]:
    """Down from the teacher: the names of the students that lack what is asked for."""
    student, own = folder.run.stage_2, lacks[-1]
    others = [lack for lack in lacks if lack != own]
    if not quick and MEMORYLESS not in lacks:
        others.append(MEMORYLESS)
    fitter = Fitter(folder, tested.env, pair.teacher)
    out, count = console(), itertools.count(1)
    names = {own: "student", **{lack: in_words(lacking(student, lack)) for lack in others}}

    def fit(name: str, lack: Lack | None) -> None:
        out.print(f"student {next(count)} of {len(others) + 1}", highlight=False)
        began = time.monotonic()
        made = fitter.shown(name) if lack is None else fitter.student(lack, name)
        rung = tested.add(name, made.team, said(lack or NOTHING), made.seconds)
        seconds = time.monotonic() - began
        out.print(f"  {tested.measure} {rung.performance:.3f}, in {seconds:.0f} s")

    tested.add("teacher", pair.teacher)
    fit(SHOWN, None)
    for lack in sorted(names, key=len):
        if lack == own:
            tested.add("student", pair.team, said(own))
        else:
            fit(names[lack], lack)
    if folder.has("finetuned"):
        tuned = folder.model("finetuned", tested.env)
        assert isinstance(tuned, Team)
        tested.add("finetuned", tuned)
    return names


def said(lack: Lack) -> str:
    """What a student lacks, in words."""
    return ", ".join(sorted(lack)) or "nothing"


def in_words(student: DistillConfig) -> str:
    """What a student sees, what it is taught, and on whose battles."""
    network, loss = student.network, student.objective
    sees = {"mlp": "O_i", "gru": "O_i + memory"}.get(network, network)
    taught = {"q": "values"}.get(loss, loss)
    whose = {"own": "own", "replay": "stage 1's"}.get(student.data, "teacher's")
    return f"{sees}, {taught}, {whose} battles"
