"""The page of one run."""

import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from ptde import build
from ptde.config import Run
from ptde.files import shell
from ptde.folder import ROLES, RunFolder, name_of
from ptde.jobs.record import Record, Row
from ptde.page.again import command
from ptde.page.charts import run_panels
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
from ptde.page.scenes import record
from ptde.processes import WorldFailed
from ptde.report.measure import column, counted_in
from ptde.report.palette import look_of
from ptde.report.panels import spread
from ptde.report.ranking import TABLE
from ptde.report.result import Result, load_result
from ptde.rollout.cache import use_compilation_cache
from ptde.strategy import Side
from ptde.types import RETURN

OTHERS = 150_000
"""Bytes of the page that are reserved for scripts, styles and texts."""
CURVES_SAY = (
    "Tests of stage 1 are the mean of up to five at each point. The thick line is the mean "
    "over seeds; up to five seeds are thin lines, of more the band is Student's 95 % "
    "interval of the mean. Drag across a chart to zoom, double-click or press reset to "
    "zoom out; a name in a legend hides its curve."
)
BATTLES_SAY = (
    "All teams begin alike. Choose an agent to see what it thinks of its actions: the bar "
    "is the value, the mark is what it would have been had z been 0 at that step. A dashed "
    "ring is an agent that z made choose otherwise."
)


def run_page(path: Path, battles: int) -> str:
    """The HTML of a run folder. ValueError if nothing of it has been recorded."""
    folder = RunFolder(path)
    run = folder.run
    records = records_of(folder)
    result = load_result(path)
    if not any(records.values()) and not result:
        raise ValueError(
            f"{path} has nothing to show yet: wait for its first test, or "
            f"`ptde resume {shell(path)}` goes on with it"
        )
    looks = {role: look_of(name_of(run, role), role) for role in ROLES}
    finals = {role: result[role] for role in ROLES if role in result}
    measure = counted_in(result.get("measure") or _measure(folder.run), records, finals)
    panels = run_panels(records, looks, finals, measure, run.stage_2)
    charts = [panel.to_json() for panel in panels]
    room = MOST_BYTES - OTHERS - len(json.dumps(charts))
    missing = unfinished(folder, records)
    use_compilation_cache()
    there = [role for role in ROLES if folder.has(role)]
    sides = [Side(folder, role, run.seed) for role in there]
    scenes, remark = record(sides, battles, room)
    sections = [
        Section("result", "Result", results(folder, result, records, measure)),
        Section("diagnosis", "Diagnosis", diagnosis(path)),
        Section("curves", "Learning curves", charts_here(bool(charts))),
        Section("battles", "To be watched", scenes_here(bool(scenes), remark)),
        Section("ranking", "Ranking", _ranking(path)),
        Section("again", "What was run, and how to run it again", _again(folder, records)),
    ]
    title = f"{run.method} on {run.world}/{run.map}"
    lead = [paragraph(missing, "unfinished")] if missing else []
    return render(title, lead, sections, {"charts": charts, "scenes": scenes})


def _final(score: Mapping[str, Any], measure: str) -> list[str]:
    """A role's final numbers: what counts, its interval, the return beside it, seeds."""
    if measure == RETURN:
        band = spread(np.array([score.get("returns") or [score["return"]]]), rates=False)
        return _numbers(score["return"], band, score.get("returns") or [], None)
    band = np.array([[score["low"], score["high"]]])
    return _numbers(score["win_rate"], band, score["seeds"], score["return"])


def _so_far(test: Row, measure: str) -> list[str]:
    """The same of a test while learning."""
    rates = measure != RETURN
    seeds = test[column(measure)]
    band = spread(np.array([seeds]), rates)
    reward = float(np.mean(test["return"])) if rates else None
    mean, *others = _numbers(float(np.mean(seeds)), band, seeds, reward)
    return [f"{mean} (so far)", *others]


def _numbers(
    mean: float, band: np.ndarray | None, seeds: Sequence[float], reward: float | None
) -> list[str]:
    digits = 2 if reward is None else 3
    interval = "" if band is None else f"{band[0, 0]:.{digits}f} to {band[0, 1]:.{digits}f}"
    beside = [] if reward is None else [f"{reward:.2f}"]
    each = ", ".join(f"{x:.{digits}f}" for x in seeds)
    return [f"{mean:.{digits}f}", interval, *beside, each]


def records_of(folder: RunFolder) -> dict[str, list[Row]]:
    """The rows of every role; empty for a role that has not begun."""
    return {role: Record(folder.path / role / "record.jsonl").rows() for role in ROLES}


def _measure(run: Run) -> str:
    """The name of the win rates in a run's world, if the world can be made."""
    try:
        with closing(build.world(run)) as env:
            return env.spec.measure
    except (ValueError, OSError, WorldFailed):
        return Result.measure


def unfinished(folder: RunFolder, records: Mapping[str, list[Row]]) -> str:
    """A sentence on what a run still lacks, and how to end it; "" if it has ended."""
    left = []
    for role in folder.expected:
        if not folder.has(role):
            rows = records[role]
            so_far = f"step {rows[-1]['steps']:,}" if rows else "waits"
            left.append(f"{role} ({so_far})")
    if not left and load_result(folder.path):
        return ""
    what = f"not yet finished: {', '.join(left)}" if left else "not yet evaluated"
    return f"This run has not ended ({what}). `ptde resume {shell(folder.path)}` ends it."


def results(
    folder: RunFolder,
    result: Mapping[str, Any],
    records: Mapping[str, list[Row]],
    measure: str,
) -> str:
    """HTML of the table of roles, with the last test where the final result is missing."""
    head = ["role", "team", "execution", measure, "95 % interval"]
    head += [] if measure == RETURN else ["return"]
    head += ["seeds", "episodes", "state was read"]
    rows, early = [], False
    for role in ROLES:
        score, tests = result.get(role), records[role]
        central = role == "teacher" and folder.run.centralised
        row = [role, name_of(folder.run, role)]
        row.append("centralised" if central else "decentralised")
        if score:
            read = score.get("communication", 0.0)
            row += _final(score, measure)
            row += [f"{score['episodes']}", f"{read:.0%} of steps" if read else ""]
        elif tests:
            early = True
            row += [*_so_far(tests[-1], measure), "", ""]
        else:
            continue
        rows.append(row)
    html = table(head, rows)
    if early:
        html += paragraph(
            "(so far): the last test while learning, no final result.", "note"
        )
    if result.get("prr") is not None:
        team = "finetuned" if "finetuned" in result else "student"
        text = f"PRR {result['prr']:.1%}: {measure} of the {team} team / of the teacher."
        html += paragraph(text)
    return html


def charts_here(any_there: bool) -> str:
    """HTML of the place where ``charts.js`` draws."""
    return f'{paragraph(CURVES_SAY, "note")}<div id="charts"></div>' if any_there else ""


def scenes_here(any_there: bool, remark: str) -> str:
    """HTML of the place where ``player.js`` plays, and of a remark."""
    note = paragraph(remark, "note") if remark else ""
    where = f'{paragraph(BATTLES_SAY, "note")}<div id="player"></div>'
    return (where if any_there else "") + note


def _ranking(path: Path) -> str:
    advice = f"`ptde evaluate {shell(path)}` writes it anew"
    return from_file(path / TABLE, from_markdown, advice)


def _again(folder: RunFolder, records: Mapping[str, list[Row]]) -> str:
    run, meta = folder.run, folder.meta
    same = "The same run, bit for bit on the same machine and versions"
    if meta["one_thread"] is False:  # an older folder does not say
        same = "The same run, up to the order of sums (it was begun on several threads)"
    had = {role: rows[-1]["steps"] for role, rows in records.items() if rows}
    alone = had.get("baseline") if folder.has("baseline") else None
    # A stage that was run again has joint steps of its own, and --steps are the teacher's.
    if run.steps == run.stages.teach and alone not in (None, had.get("teacher")):
        same += f", but for the baseline, which has had {alone:,} joint steps"
    values = json.dumps(run.to_json(), indent=1)
    made = f"ptde {meta.get('ptde', '?')}, JAX {meta.get('jax', '?')}."
    return (
        paragraph(f"{same}:")
        + code(command(run, meta["goal"], meta["devices"]))
        + paragraph(f"It was made with {made}")
        + folded("every option", code(values))
    )
