"""The page of a comparison."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from ptde.compare.curves import distilled
from ptde.compare.outcome import Entries, gather, measure_of, measured
from ptde.compare.rows import load
from ptde.compare.tables import markdown
from ptde.config import place_of
from ptde.folder import RunFolder, name_of
from ptde.jobs.record import Row, beside
from ptde.methods import METHODS
from ptde.page.again import command, plan
from ptde.page.charts import JOINT_STEPS, Panel, curves_of, distillation
from ptde.page.diagnosis import diagnosis
from ptde.page.document import (
    MOST_BYTES,
    Section,
    code,
    folded,
    from_file,
    from_markdown,
    paragraph,
    render,
    table,
)
from ptde.page.run import (
    OTHERS,
    charts_here,
    records_of,
    scenes_here,
    unfinished,
)
from ptde.page.scenes import record
from ptde.report.measure import column, compared
from ptde.report.palette import look_of
from ptde.report.panels import groups
from ptde.report.result import load_result
from ptde.rollout.cache import use_compilation_cache
from ptde.run_json import load_run
from ptde.strategy import Side
from ptde.trust import check_inside

RUNS = "*/*/[!.]*/run.json"
"""Where runs are in a comparison's folder; a name with a dot is of a half-made one."""
TEAMS = 4
"""Most teams of a comparison that play side by side."""


def is_comparison(path: Path) -> bool:
    """Whether run folders are where `ptde compare` puts them: ``MAP/RUN/SEEDS``."""
    return any(path.glob(RUNS))


def comparison_page(path: Path, battles: int) -> str:
    """The HTML of a comparison's folder. ValueError if no run of it was recorded, or if a
    link leads out of it.
    """
    check_inside(path)
    load(path)
    folders = sorted(
        (RunFolder(file.parent) for file in path.glob(RUNS)),
        key=lambda folder: (folder.run.map, folder.path.parent.name, folder.run.seed),
    )
    entries = _entries(folders)
    maps = list(dict.fromkeys(folder.run.map for folder in folders))
    charts = [panel.to_json() for panel in _panels(folders, entries, maps)]
    if not charts:
        raise ValueError(
            f"{path} has nothing to show yet: wait for the first test of its first run"
        )
    room = MOST_BYTES - OTHERS - len(json.dumps(charts))
    use_compilation_cache()
    sides = _sides(folders)
    scenes, remark = record(sides, battles, room)
    if scenes:
        remark = f"{sides[0].folder.run.map}. {remark}"
    missing = [
        text for folder in folders if (text := unfinished(folder, records_of(folder)))
    ]
    lead = []
    if missing:
        text = f"{len(missing)} of {len(folders)} runs have not ended: "
        text += "the tables hold those that have, the curves all."
        listed = "".join(paragraph(line, "note") for line in missing)
        lead = [paragraph(text, "unfinished"), folded("which", listed)]
    sections = [
        Section(
            "result", "Result", from_markdown(markdown(entries, maps)) if entries else ""
        ),
        Section("diagnosis", "Diagnosis", diagnosis(path)),
        Section("curves", "Learning curves", charts_here(True)),
        Section("battles", "To be watched", scenes_here(bool(scenes), remark)),
        Section("ranking", "Ranking", _ranking(path, maps)),
        Section("again", "What was run, and how to run it again", _again(folders)),
    ]
    data = {"charts": charts, "scenes": scenes}
    return render(f"Comparison {path.name}", lead, sections, data)


def _methods(folder: RunFolder) -> list[str]:
    """The keys of the methods that a comparison's run belongs to, by its folder's name."""
    run = folder.path.parent.name
    return [
        name
        for name, method in METHODS.items()
        if method.run == run and method.role_in(folder.run) in folder.expected
    ]


def _entries(folders: Sequence[RunFolder]) -> Entries:
    """The entries of the runs that have ended, in the order of ``METHODS``."""
    found: dict[str, list[tuple[str, Path]]] = {}
    for name in METHODS:
        for folder in folders:
            ended = METHODS[name].role_in(folder.run) in load_result(folder.path)
            if ended and name in _methods(folder):
                found.setdefault(name, []).append((folder.run.map, folder.path))
    return measured(gather(found))


def _panels(
    folders: Sequence[RunFolder], entries: Entries, maps: Sequence[str]
) -> list[Panel]:
    """Panels of every map over the joint steps of all stages, at most five methods each;
    and of every stage 2 over its own steps.
    """
    measure = measure_of(entries)
    panels = []
    for where in maps:
        taught = _records([folder for folder in folders if folder.run.map == where])
        looks = {name: look_of(name) for name in taught}
        finals = _finals(entries, where)
        for value, title in compared(measure).items():
            for part in groups(list(taught)):
                rows = {name: taught[name] for name in part}
                name, rates = f"{where}: {title}", value == "win_rate"
                ends = finals if value == column(measure) else None
                curves = curves_of(rows, looks, value, ends)
                panels.append(Panel(name, JOINT_STEPS, f"test {title}", curves, (), rates))
    for cell in distilled(entries, maps):
        cells = cell.looks or {}
        final = cell.teacher
        levels = [] if final is None else [("teacher, final", cells["teacher"], final)]
        panels += distillation(
            cell.title, cell.rows, cell.student, cells["student"], levels, measure
        )
    return [panel for panel in panels if panel.curves]


def _finals(entries: Entries, where: str) -> dict[str, float]:
    """The mean of the final results on a map, by the paper's name of the method."""
    found: dict[str, list[float]] = {}
    for name, by_map in entries.items():
        if where in by_map:
            found.setdefault(METHODS[name].name, []).extend(by_map[where].seeds)
    return {name: sum(seeds) / len(seeds) for name, seeds in found.items()}


def _records(folders: Sequence[RunFolder]) -> Mapping[str, list[list[Row]]]:
    """The rows of each run of every method, by the paper's name of the method."""
    found: dict[str, list[list[Row]]] = {}
    for name, method in METHODS.items():
        for folder in folders:
            if name in _methods(folder):
                records = records_of(folder)
                role = method.role_in(folder.run)
                rows = records[role]
                if role == "student" and not rows:
                    rows = beside(records["teacher"])
                found.setdefault(method.name, []).extend([rows] if rows else [])
    return {name: records for name, records in found.items() if records}


def _sides(folders: Sequence[RunFolder]) -> list[Side]:
    """The teams that play: of the first map with any, runs with a student first."""
    for where in dict.fromkeys(folder.run.map for folder in folders):
        here = [f for f in folders if f.run.map == where and f.has("teacher")]
        here.sort(key=lambda folder: not folder.has("student"))
        sides: dict[str, Side] = {}
        for folder in here:
            for role in ("teacher", "student", "finetuned"):
                if folder.has(role):
                    side = Side(folder, role, folder.run.seed)
                    sides.setdefault(name_of(folder.run, role), side)
        if sides:
            return list(sides.values())[:TEAMS]
    return []


def _ranking(path: Path, maps: Sequence[str]) -> str:
    files = [path / f"ranking-{place_of(where)}.md" for where in maps]
    advice = "`ptde compare` writes it anew: type the plan, --out and --table-only"
    return "".join(from_file(file, from_markdown, advice) for file in files)


def _again(folders: Sequence[RunFolder]) -> str:
    names = {name for folder in folders for name in _methods(folder)}
    methods = [name for name in METHODS if name in names]
    runs = [folder.run for folder in folders]
    typed = [command(f.run, f.meta["goal"], f.meta["devices"]) for f in folders]
    rows = [[str(f.path), words] for f, words in zip(folders, typed, strict=True)]
    made = sorted({str(load_run(folder.path)[1].get("ptde", "?")) for folder in folders})
    return (
        paragraph("As a plan, for `ptde compare plan.toml`:")
        + code(plan(runs, methods))
        + paragraph(f"It was made with ptde {', '.join(made)}.")
        + folded("every run by itself", table(["folder", "command"], rows))
    )
