"""Running the missing runs of a comparison, and writing its results."""

import itertools
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from rich.live import Live
from rich.table import Table

from ptde import build
from ptde.compare.outcome import Entries, gather, missing, overlap
from ptde.compare.plan import Cell, Plan
from ptde.compare.ray_workers import OnRay, run_on_ray
from ptde.compare.rows import save
from ptde.compare.shard import Shard, divided, outwait
from ptde.compare.tables import markdown, write
from ptde.compare.workers import Failures, last_row, played, run_side_by_side
from ptde.config import Run, flag, place_of
from ptde.files import shell, write_whole
from ptde.folder import RunFolder
from ptde.jobs.interrupt import Interrupted, resumable
from ptde.jobs.job import Diverged
from ptde.jobs.progress import console, say
from ptde.methods import METHODS, on_probe, run_of
from ptde.options import flatten
from ptde.pipeline import resume
from ptde.processes import WorldFailed
from ptde.report.registry import report_of
from ptde.report.result import load_result
from ptde.rollout.runner import runner_of
from ptde.run_json import load_run
from ptde.unread import is_read


def compare(plan: Plan, out: Path, workers: int = 1) -> Entries:
    """Runs what is missing in ``out`` (``finish_runs``), then writes the tables."""
    finish_runs(plan, out, workers=workers)
    return collect(plan, out)


def finish_runs(
    plan: Plan,
    out: Path,
    *,
    workers: int = 1,
    shard: Shard | None = None,
    on_ray: OnRay | None = None,
) -> int:
    """Runs the seeds that are missing or unfinished in ``out``; the number of all runs.

    A run folder is ``out/MAP/RUN/SEEDS``: a comparison that was stopped resumes, and one
    that gets more methods, maps or seeds runs the new ones alone.

    Args:
        plan: the plan of the comparison.
        out: the comparison's folder.
        workers: number of runs at once, of one seed each, in processes on cores of their
            own; 1 runs all seeds of a cell in one program, on all cores.
        shard: the part of the plan to run, of one seed each; None is the whole plan.
        on_ray: the Ray cluster to run on, one seed in each task; None is this machine.

    Raises:
        ValueError: a cell cannot be run, no method uses an option of the plan, or ``out``
            holds a run with other options.
        Interrupted: Ctrl-C; the same command goes on.
        WorkerFailed: runs ended badly; all others are finished.
    """
    plan.check_read()
    _check_out(out)
    cells, apart = [], workers > 1 or shard is not None or on_ray is not None
    division = divided(plan.cells(), shard.count) if shard else {}
    for whole in plan.cells():  # finds all errors before anything long starts
        env = build.world(whole.run)
        single = apart or runner_of(env).one_seed
        runs = _apart(whole, out, single)
        for cell in shard.kept(whole, runs, division) if shard else runs:
            build.check_fits(cell.run, env)
            cells.append(cell)
    if plan.base.seeds < 2:
        console().print("one seed: no interval can be given; type --seeds 3 for intervals")
    board = _Board(cells, out)
    folders = [_begin(cell, out) for cell in board.todo]
    with resumable("the same command goes on"):
        if shard is not None:
            outwait(folders)
        if on_ray is not None:
            with board.watch() as look:
                run_on_ray(folders, on_ray, look, board.failures)
        elif workers > 1:
            with board.watch() as look:
                run_side_by_side(folders, workers, look, board.failures)
        else:
            _run_in_turn(folders, board)
    return len(cells)


def _check_out(out: Path) -> None:
    """Raises ValueError if a comparison cannot be written there."""
    if (out / "run.json").is_file():
        raise ValueError(f"{out} is the folder of a run: type another --out")
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out} is a file: type a folder, --out runs/compare-1, say")


def _run_in_turn(folders: list[Path], board: "_Board") -> None:
    """Finishes run folders in this process. WorkerFailed as in ``finish_runs``."""
    failures = board.failures
    for folder in folders:
        console().print(board.show([folder]))
        try:
            resume(folder)
        except Interrupted as stopped:
            raise Interrupted(f"{stopped}, or the same command with all runs") from None
        except (ValueError, OSError, Diverged, WorldFailed) as error:
            failures.add(folder, "failed", str(error))
        except Exception:  # of code of the user's, or of ours
            failures.add(folder, "failed", traceback.format_exc())
    failures.check()


def collect(plan: Plan, out: Path) -> Entries:
    """Writes and prints the tables of the plan's finished runs in ``out``; returns the
    entries.

    Raises:
        ValueError: there are none, or one was run with other options.
    """
    folders = _finished(plan, out)
    if not folders:
        raise ValueError(
            f"{out} holds no finished run of this plan: type the --out of the comparison, "
            "or wait for the first of its runs to end"
        )
    entries = gather(folders, plan.numbers)
    remark = missing(entries, plan.methods, plan.maps, plan.numbers)
    console().print(markdown(entries, plan.maps, remark), soft_wrap=True, markup=False)
    save(plan.rows, out)
    paths = write(entries, plan.maps, plan.base.world, out, remark)
    if (table := report_of(plan.base.world).compare) is not None:
        for where in plan.maps:
            text = table(build.world(replace(plan.base, map=where)), _on(where, folders))
            paths.append(out / f"{plan.base.world}-{place_of(where)}.md")
            write_whole(paths[-1], text)
            console().print(text, soft_wrap=True, markup=False)
    for path in paths:
        console().print(str(path), soft_wrap=True, markup=False)
    return entries


def _finished(plan: Plan, out: Path) -> dict[str, list[tuple[str, Path]]]:
    """For each method that has any, (map, folder) of its finished runs with the plan's
    seeds. Says which seeds are left out. ValueError for a run with other options.
    """
    found: dict[str, list[tuple[str, Path]]] = {}
    left_out: dict[Path, set[int]] = {}
    for name, where in itertools.product(plan.methods, plan.maps):
        method = METHODS[name]
        for folder in _runs(out / place_of(where) / method.run):
            run = load_run(folder)[0]
            if method.role_in(run) not in load_result(folder):
                continue
            if _odd(run, on_probe(name, plan.on(where))):  # as it may be on its own world
                _same_options(run, run_of(name, plan.on(where)), folder)
            numbers = range(run.seed, run.seed + run.seeds)
            mine = overlap(numbers, plan.numbers)
            left_out[folder] = {*numbers} - {*mine}
            if mine:
                found.setdefault(name, []).append((where, folder))
    for folder, seeds in left_out.items():
        if seeds:
            listed = ", ".join(map(str, sorted(seeds)))
            say(f"{folder}: seeds that are not the plan's are left out: {listed}")
    return found


def _on(
    where: str, folders: dict[str, list[tuple[str, Path]]]
) -> dict[str, list[tuple[Path, str]]]:
    """The run folders and roles, by label, of the methods that have runs on a map."""
    runs: dict[str, list[tuple[Path, str]]] = {}
    for name, found in folders.items():
        method = METHODS[name]
        for folder in (f for w, f in found if w == where):
            role = method.role_in(load_run(folder)[0])
            runs.setdefault(method.label, []).append((folder, role))
    return runs


def _runs(folder: Path) -> list[Path]:
    """The run folders in a folder, in the order of their seeds.

    ValueError if two have the same seed.
    """
    found = [path.parent for path in sorted(folder.glob("[!.]*/run.json"))]  # no hidden one
    runs = {path: load_run(path)[0] for path in found}
    taken: dict[int, Path] = {}
    for path, run in runs.items():
        for seed in range(run.seed, run.seed + run.seeds):
            if (other := taken.setdefault(seed, path)) != path:
                raise ValueError(
                    f"{other} and {path} both have seed {seed}, which would count twice: "
                    f"move the copy out of {folder}"
                )
    return sorted(runs, key=lambda path: runs[path].seed)


def _apart(whole: Cell, out: Path, single: bool) -> list[Cell]:
    """Splits a cell into runs: those that were begun, and those of the missing seeds.

    Args:
        whole: the cell with all seeds.
        out: the comparison's folder.
        single: whether each missing seed gets a run; else successive seeds share one.
    """
    cells, first = [], whole.run.seed
    missing = set(range(first, first + whole.run.seeds))
    for folder in _runs(out / whole.run.place / whole.name):
        run = load_run(folder)[0]
        _same_options(run, whole.run, folder)
        cells.append(replace(whole, run=run, begun=folder.name))
        missing -= set(range(run.seed, run.seed + run.seeds))
    for seed in sorted(missing):
        if not single and seed - 1 in missing:
            last = cells[-1].run
            cells[-1] = replace(whole, run=replace(last, seeds=last.seeds + 1))
        else:
            cells.append(replace(whole, run=replace(whole.run, seed=seed, seeds=1)))
    return cells


def _same_options(there: Run, here: Run, folder: Path) -> None:
    """Raises ValueError if two runs differ in more than their seeds and what none reads."""
    odd = _odd(there, here)
    if odd == ["steps"] and there.steps < here.steps:
        raise ValueError(
            f"{folder} was run with --steps {there.steps}: `ptde resume {shell(folder)} "
            f"--steps {here.steps}` lets it go on to those of the comparison"
        )
    if odd:
        had = flatten(there)
        words = [f"{'' if had[n] is not None else 'no '}{flag(n, had[n])}" for n in odd]
        raise ValueError(
            f"{folder} was run with {' '.join(words)}: type another --out, or these options"
        )


def _odd(there: Run, here: Run) -> list[str]:
    """The options that differ between two runs, beside their seeds, and that one reads."""
    a, b = flatten(there), flatten(here)
    differ = [name for name in b if name not in ("seed", "seeds") and a[name] != b[name]]
    return [name for name in differ if is_read(there, name) or is_read(here, name)]


def _begin(cell: Cell, out: Path) -> Path:
    """The cell's run folder, which is made, or gets a new goal, where necessary."""
    path = out / cell.folder
    if not (path / "run.json").exists():
        RunFolder.create(cell.run, path, cell.goal)
        return path
    folder = RunFolder(path)
    if cell.goal == "run" and folder.meta["goal"] != "run":
        with folder.alone():  # or what trains there might rewrite it, too
            folder.rewrite(folder.run, goal="run")
    return path


@dataclass
class _Board:
    """The table of all runs while they go on, with the time left at the pace so far."""

    cells: list[Cell]
    out: Path
    failures: Failures = field(default_factory=Failures)
    began: float = field(default_factory=time.monotonic)

    def __post_init__(self):
        self.todo = self.missing()
        self.before = {cell.folder: played(self.out / cell.folder) for cell in self.todo}

    def work(self, cells: list[Cell]) -> int:
        """Joint steps of cells, without those that they had done before."""
        todo = [cell for cell in cells if cell.folder in self.before]
        return sum(c.run.steps * c.run.seeds - self.before[c.folder] for c in todo)

    def missing(self) -> list[Cell]:
        """The cells that lack a result of one of their roles."""
        return [
            cell
            for cell in self.cells
            if not cell.roles <= load_result(self.out / cell.folder).keys()
        ]

    @contextmanager
    def watch(self) -> Iterator[Callable[[list[Path]], None]]:
        """A context with a function to call, again and again, with the folders at work. It
        shows the table: in place on a terminal, or in a log when these change.
        """
        out, before = console(), [Path()]
        if out.is_terminal:
            with Live(console=out, auto_refresh=False) as live:
                yield lambda running: live.update(self.show(running), refresh=True)
            return

        def look(running: list[Path]) -> None:
            if running != before:
                out.print(self.show(running))
                before[:] = running

        yield look

    def show(self, running: list[Path]) -> Table:
        """The table of all runs; ``running`` are the folders at work."""
        missing = self.missing()
        ahead = [c for c in missing if self.out / c.folder not in self.failures.texts]
        done, left = self.work(self.todo) - self.work(missing), ""
        if done > 0:
            pace = (time.monotonic() - self.began) / done
            left = f", about {pace * max(0, self.work(ahead)) / 60:.0f} min left"
        count = len(self.cells) - len(missing)
        title = f"{count} of {len(self.cells)} runs done{left}"
        table = Table(title=title, title_justify="left")
        maps = list(dict.fromkeys(cell.map for cell in self.cells))
        table.add_column("run")
        for where in maps:
            table.add_column(where, justify="right")
        for name in dict.fromkeys(cell.name for cell in self.cells):
            row = [name]
            for where in maps:
                mine = [c for c in self.cells if (c.map, c.name) == (where, name)]
                row.append(", ".join(self._state(cell, running) for cell in mine))
            table.add_row(*row)
        return table

    def _state(self, cell: Cell, running: list[Path]) -> str:
        folder = self.out / cell.folder
        if folder in running:
            return last_row(folder)
        result = load_result(folder)
        if not cell.roles <= result.keys():
            return "failed" if folder in self.failures.texts else "waits"
        roles = ("teacher", "student", "finetuned")
        return " / ".join(f"{result[r]['win_rate']:.2f}" for r in roles if r in result)


def with_seeds(plan: Plan, seeds: int | None) -> Plan:
    """The plan with another number of seeds."""
    return plan if seeds is None else replace(plan, base=replace(plan.base, seeds=seeds))


def with_data(plan: Plan, data: str) -> Plan:
    """The plan with another data file, for worlds that read one."""
    ranking = replace(plan.base.ranking, data=data)
    return replace(plan, base=replace(plan.base, ranking=ranking))
