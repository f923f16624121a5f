"""The files of a comparison's results.

``table.md`` and ``table.tex`` have the layout of the paper's Table 2: a row for each
method, a column for each map; ``table.md`` adds a table of returns, which tell methods
apart before any of them wins, and one of how soon each wins. ``table.csv`` has every seed.
``marl_eval.json`` is the exchange format of the marl-eval tools (environment, task,
algorithm, run, step).
"""

import csv
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ptde.compare.milestones import HOW_SOON, milestones
from ptde.compare.outcome import Entries, Entry, measure_of, measured
from ptde.compare.statistics import (
    improvement,
    improvement_interval,
    iqm,
    iqm_interval,
    mean_interval,
    prr,
    retention_interval,
)
from ptde.files import write_whole
from ptde.jobs.record import Row
from ptde.methods import METHODS
from ptde.report.statistics import Interval, t_interval
from ptde.types import RETURN, WINS


def _range(interval: Interval | None) -> str:
    return "" if interval is None else f" [{interval[0]:.2f}, {interval[1]:.2f}]"


def _most(entries: Entries) -> int:
    """The number of seeds of the cell that has the most."""
    return max(len(e.seeds) for by_map in entries.values() for e in by_map.values())


def _count(entry: Entry, most: int) -> str:
    """What a cell says of its seeds: nothing if it has as many as any."""
    return f" ({len(entry.seeds)} of {most} seeds)" if len(entry.seeds) < most else ""


def _cells(entries: Entries, maps: Sequence[str]) -> list[list[str]]:
    """The table's rows, as text."""
    rows, most, played = [], _most(entries), _played(entries, maps)
    for name, by_map in entries.items():
        method = METHODS[name]
        row = [method.label, method.reads]
        row += [_cell(by_map[m], most) if m in by_map else "" for m in maps]
        scores = {where: by_map[where].seeds for where in played if where in by_map}
        if len(scores) < len(played):  # means over other maps are not to be compared
            row.append(f"{len(scores)} of {len(played)} maps")
        else:
            pooled = np.concatenate([np.asarray(x, float) for x in scores.values()])
            row.append(f"{iqm(pooled):.3f}{_range(iqm_interval(scores))}")
        rows.append(row)
    return rows


def _cell(entry: Entry, most: int) -> str:
    if entry.measure == RETURN:
        interval = _interval(entry.seeds)
    else:  # elsewhere than in win rates, an episode is more or less won
        episodes = entry.episodes if entry.measure == WINS else 0
        interval = mean_interval(entry.seeds, episodes)
    text = f"{np.mean(entry.seeds):.3f}{_range(interval)}"
    if entry.teacher:
        ratio = prr(entry.seeds, entry.teacher)
        spread = retention_interval(entry.seeds, entry.teacher)
        text += "" if ratio is None else f"; PRR {ratio:.2f}{_range(spread)}"
    return text + _count(entry, most)


def _interval(seeds: Sequence[float]) -> Interval | None:
    """Student's interval of a return; None for a single seed."""
    return t_interval(seeds) if len(seeds) > 1 else None


def _played(entries: Entries, maps: Sequence[str]) -> list[str]:
    """The maps on which any method has runs."""
    return [where for where in maps if any(where in e for e in entries.values())]


def _returns(entries: Entries, maps: Sequence[str]) -> list[list[str]]:
    """The rows of the table of returns, as text."""
    rows, most = [], _most(entries)
    for name, by_map in entries.items():
        row = [METHODS[name].label]
        for where in maps:
            entry = by_map.get(where, Entry())
            text = f"{np.mean(entry.returns):.2f}" if entry.returns else ""
            spread = _range(_interval(entry.returns))
            row.append(text + spread + (_count(entry, most) if text else ""))
        rows.append(row)
    return rows


BETTER = (
    "Probability of improvement (Agarwal et al. 2021): how likely a run of the row's "
    "method reaches more than one of the column's on the same map; ties count half. "
    "Brackets are 95 % bootstrap intervals over seeds, stratified by map."
)
"""The note below the table of improvements."""


def _improvements(entries: Entries) -> list[list[str]]:
    """The table of probabilities of improvement as text, over the maps of each pair."""
    table = [["is better than", *(METHODS[name].label for name in entries)]]
    for name, by_map in entries.items():
        row = [METHODS[name].label]
        for other, others in entries.items():
            both = [where for where in by_map if where in others and name != other]
            if not both:
                row.append("")
                continue
            mine, theirs = ({m: e[m].seeds for m in both} for e in (by_map, others))
            spread = _range(improvement_interval(mine, theirs))
            row.append(f"{improvement(mine, theirs):.2f}{spread}")
        table.append(row)
    return table


def _header(entries: Entries, maps: Sequence[str]) -> list[str]:
    titles = []
    for where in maps:
        steps = [e[where].steps for e in entries.values() if where in e] or [0]
        least, most = (f"{count / 1e6:.3g}" for count in (min(steps), max(steps)))
        titles.append(f"{where} ({most if least == most else f'{least} to {most}'}M)")
    return ["method", "reads at execution", *titles, "IQM over maps"]


def notes(entries: Entries) -> list[str]:
    """Notes below the table: what its numbers and intervals are."""
    every = [entry for by_map in entries.values() for entry in by_map.values()]
    counts = {len(entry.seeds) for entry in every}
    episodes = sorted({entry.episodes // len(entry.seeds) for entry in every})
    measure = measure_of(entries)
    lines = [
        f"Final {measure}, mean over {max(counts)} seed(s)"
        f"{', or as many as a cell says,' if len(counts) > 1 else ''} of "
        f"{' or '.join(map(str, episodes))} test episodes each; brackets are 95 % "
        "intervals: Student's over seeds, and bootstrap over seeds (stratified by map) for "
        "IQM and PRR.",
        "(C) centralised, (D) decentralised execution. PRR: the decentralised team's "
        "result / its teacher's.",
    ]
    if len({frozenset(by_map) for by_map in entries.values()}) > 1:
        lines.append("IQM is over all maps of the table: who lacks one has none.")
    if measure == RETURN:
        lines.append(
            "No episode was won, or the world does not say who wins: the numbers are "
            "returns, and there is no PRR."
        )
    if min(counts) < 2:
        lines.append("A single seed has no interval: run at least two, better ten.")
    spoken = [
        f"{METHODS[name].name} {np.mean([e.communication for e in by_map.values()]):.0%}"
        for name, by_map in entries.items()
        if METHODS[name].centralised
    ]
    if spoken:
        lines.append("Agent-steps at which the state is read: " + ", ".join(spoken) + ".")
    return lines


def markdown(entries: Entries, maps: Sequence[str], remark: str = "") -> str:
    """The tables and their notes in Markdown; a remark goes before the notes."""
    entries = measured(entries)
    lines = _table([_header(entries, maps), *_cells(entries, maps)])
    lines += ["", *filter(None, [remark, *notes(entries)]), ""]
    if len(entries) > 1:
        lines += [*_table(_improvements(entries)), "", BETTER, ""]
    if measure_of(entries) == WINS:
        lines += [*_table([["mean return", *maps], *_returns(entries, maps)]), ""]
        if len(sooner := milestones(entries, maps)) > 1:
            lines += [*_table(sooner), "", HOW_SOON, ""]
    return "\n".join(lines)


def _table(rows: list[list[str]]) -> list[str]:
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return [lines[0], "|" + "---|" * len(rows[0]), *lines[1:]]


def latex(entries: Entries, maps: Sequence[str], remark: str = "") -> str:
    """The table as a LaTeX tabular, which needs the booktabs package, with a remark."""

    def escape(text: str) -> str:
        for plain, typeset in (("_", r"\_"), ("%", r"\%")):
            text = text.replace(plain, typeset)
        return text

    entries = measured(entries)
    rows = [_header(entries, maps), *_cells(entries, maps)]
    lines = [" & ".join(escape(x) for x in row) + r" \\" for row in rows]
    body = [lines[0], r"\midrule", *lines[1:]]
    return "\n".join(
        [
            *(f"% {line}" for line in filter(None, [remark, *notes(entries)])),
            rf"\begin{{tabular}}{{{'l' * len(rows[0])}}}",
            r"\toprule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )


def comma_separated(entries: Entries, maps: Sequence[str]) -> str:
    """The results in CSV, unrounded: a line for each method, map and seed."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    columns = [
        "method",
        "execution",
        "reads",
        "map",
        "steps",
        "seed",
        "win_rate",
        "return",
        "teacher_win_rate",
    ]
    writer.writerow(columns)
    for name, by_map in entries.items():
        method = METHODS[name]
        mark = "centralised" if method.centralised else "decentralised"
        for where in maps:
            entry = by_map.get(where, Entry())
            teachers = [str(x) for x in entry.teacher] or [""] * len(entry.seeds)
            numbers = [seed for seed, _, _ in entry.curves()]
            each = zip(numbers, entry.seeds, entry.returns, teachers, strict=True)
            for values in each:
                row = [method.name, mark, method.reads, where, entry.steps]
                writer.writerow([*row, *values])
    return out.getvalue()


def marl_eval(entries: Entries, world: str) -> dict:
    """The results in marl-eval's format: environment, task, algorithm, run, step."""
    data: dict = {}
    for name, by_map in entries.items():
        method = METHODS[name]
        for where, entry in by_map.items():
            runs = data.setdefault(world, {}).setdefault(where, {})
            algorithm = runs.setdefault(method.name, {})
            ends = zip(entry.tested(), entry.seeds, entry.returns, strict=True)
            for (seed, place, rows), won, reward in ends:
                run = _steps(rows, place)
                run["absolute_metrics"] = {
                    "win_rate": [won],
                    "mean_episode_return": [reward],
                }
                algorithm[f"seed_{seed}"] = run
    return data


def _steps(rows: list[Row], place: int) -> dict[str, dict]:
    """One seed's tests in marl-eval's format."""
    return {
        f"step_{count}": {
            "step_count": row["steps"],
            "elapsed_time": row["seconds"],
            "win_rate": [row["win_rate"][place]],
            "mean_episode_return": [row["return"][place]],
        }
        for count, row in enumerate(rows)
    }


def write(
    entries: Entries, maps: Sequence[str], world: str, folder: Path, remark: str = ""
) -> list[Path]:
    """Writes every form of the table and the curves, and those of Paper Fig. 7 if there is
    a stage 2. Returns the paths.
    """
    from ptde.compare.curves import distilled, draw_comparison  # Matplotlib is slow
    from ptde.report.distillation import draw_figure7

    forms: dict[str, Callable[[], str]] = {
        "table.md": lambda: markdown(entries, maps, remark),
        "table.tex": lambda: latex(entries, maps, remark),
        "table.csv": lambda: comma_separated(entries, maps),
        "marl_eval.json": lambda: json.dumps(marl_eval(entries, world), indent=1),
    }
    for name, make in forms.items():
        write_whole(folder / name, make())
    entries = measured(entries)
    measure = measure_of(entries)
    pictures = [draw_comparison(entries, maps, folder / "curves.png", measure)]
    if cells := distilled(entries, maps):
        pictures.append(draw_figure7(cells, folder / "figure7.png", measure))
    return [*(folder / name for name in forms), *pictures]
