"""Plans of comparisons, by name for the paper's tables and figures; ``plan_file.py`` reads
them from files.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from ptde.compare.rows import Row, register
from ptde.config import Run, flag
from ptde.distill.config import DistillConfig
from ptde.envs.registry import WORLDS
from ptde.methods import METHODS, on_probe, run_of, unused
from ptde.options import put
from ptde.presets import PAPER_MAPS, as_paper
from ptde.processes.games.doctor import GAMES, need
from ptde.unread import is_read
from ptde.validation import check_choice

MILLION = 1_000_000


@dataclass(frozen=True)
class Cell:
    """A run of the comparison: some seeds, or all, of one method's run on one map."""

    run: Run
    map: str
    name: str
    """Name of the run; methods of the same run share it."""
    roles: frozenset[str] = frozenset({"teacher"})
    """The roles whose results are asked for."""
    begun: str = ""
    """The name of the run's folder, if it was begun and is not named after its seeds."""

    @property
    def goal(self) -> Literal["teach", "run"]:
        """The goal: stage 1 alone unless a student's results are asked for."""
        return "run" if self.roles & {"student", "finetuned"} else "teach"

    @property
    def folder(self) -> Path:
        """The run folder, below the comparison's folder."""
        return Path(self.run.place) / self.name / (self.begun or self.run.seed_name)


@dataclass(frozen=True)
class Plan:
    """Methods x maps x seeds, and the options that all runs have in common."""

    methods: tuple[str, ...]
    maps: tuple[str, ...]
    steps: dict[str, int] = field(default_factory=dict)
    """Joint steps by map; a map that is missing takes ``base.steps``."""
    base: Run = field(default_factory=Run)
    """Options of all runs; ``seed`` and ``seeds`` are those of the comparison."""
    start: Run | None = None
    """``base`` before any option was typed; None takes the world's defaults."""
    given: frozenset[str] = frozenset()
    """The options of ``base`` that were typed, even at the values of ``start``."""
    rows: Mapping[str, Row] = field(default_factory=dict)
    """The methods of the plan's own."""

    def __post_init__(self):
        for kind, names in (("method", self.methods), ("map", self.maps)):
            if not names:
                raise ValueError(f"the comparison names no {kind}: write {kind}s = [...]")
            for name in names:
                if names.count(name) > 1:
                    raise ValueError(
                        f"duplicate cell: {kind} {name!r} stands there "
                        f"{names.count(name)} times; keep one"
                    )
        check_choice("world", self.base.world, WORLDS)
        register(self.rows)
        for name in self.methods:
            check_choice("method", name, METHODS)
        for name in self.maps:
            WORLDS[self.base.world].check_map(name)
        for name in self.steps:
            check_choice("map", name, self.maps)
        if self.base.baseline:
            raise ValueError(
                "--baseline is for a single run: write the team without information, "
                "e.g. qmix, among the methods of the comparison"
            )

    @property
    def numbers(self) -> range:
        """The seeds of the comparison."""
        return range(self.base.seed, self.base.seed + self.base.seeds)

    def on(self, where: str) -> Run:
        """``base`` on one of the maps, with its joint steps."""
        return replace(self.base, map=where, steps=self.steps.get(where, self.base.steps))

    def check_read(self) -> None:
        """Raises ValueError, with their names, for options of ``base`` that none uses."""
        start = self.start or Run(world=self.base.world)
        wrong = unused(self.methods[0], self.base, start, self.given)
        for name in self.methods[1:]:
            if wrong:
                too = unused(name, self.base, start, self.given)
                wrong = {option: say for option, say in wrong.items() if option in too}
        if wrong:
            raise ValueError(
                "\n".join(
                    f"no method of the comparison uses {flag(option)}: {say()}"
                    for option, say in wrong.items()
                )
            )

    def scaled(self, share: float) -> "Plan":
        """This plan with a share of every budget, for a quick try."""
        run, epsilon = self.base, "value.epsilon_steps"
        budgets = {"steps": run.steps * share}
        if any(is_read(on_probe(name, run), epsilon) for name in self.methods):
            budgets[epsilon] = run.value.epsilon_steps * min(share, 1.0)
        base = put(run, {name: max(1, round(n)) for name, n in budgets.items()})
        steps = {name: max(1, round(n * share)) for name, n in self.steps.items()}
        return replace(self, steps=steps, base=base)

    def as_paper(self) -> "Plan":
        """This plan with the paper's values (``presets.as_paper``), but with stage 2 as the
        plan sets it, if it does, as Figure 7 does.

        Raises:
            ValueError: the paper has no values for these methods, or for this world.
        """
        check_paper(self.methods)
        base, student = as_paper(self.base), self.base.student
        own = student != DistillConfig()
        base = replace(base, student=student) if own else base
        return replace(self, base=base, start=base)

    def check_game(self, name: str) -> None:
        """Raises ValueError, with what to type, if a game of this plan is not installed."""
        if self.base.world not in GAMES:
            return
        try:
            need(self.base.world)
        except ValueError as error:
            raise ValueError(f"{name} cannot be run: {error}") from None

    def cells(self) -> list[Cell]:
        """The runs of the comparison, each once, map by map."""
        sharing: dict[str, list[str]] = {}
        for method in self.methods:
            sharing.setdefault(METHODS[method].run, []).append(method)
        cells = []
        for name in self.maps:
            for shared, methods in sharing.items():
                run = run_of(methods[0], self.on(name))
                roles = frozenset(METHODS[method].role_in(run) for method in methods)
                cells.append(Cell(run, name, shared, roles))
        return cells


def _table(methods: str, budgets: dict[str, int], base: Run | None = None) -> Plan:
    """A plan of three seeds, from methods and maps with budgets in millions of steps."""
    steps = {name: millions * MILLION for name, millions in budgets.items()}
    base = replace(base or Run(), seeds=3)
    return Plan(tuple(methods.split()), tuple(budgets), steps, base)


def _ranking() -> Plan:
    base = Run(world="ranking", seeds=5)
    return Plan(("qmix", "qmix_giu", "qmix_gip", "qmix_kd"), ("letor",), {}, base)


def check_paper(methods: Sequence[str]) -> None:
    """Raises ValueError if the paper has values for none of the methods."""
    probe = Run(world="probe")
    if all(on_probe(name, probe).algo == "mappo" for name in methods):
        raise ValueError(
            "Table 7 of the paper has values for VDN, QMIX and QPLEX alone, and no method "
            "here is one of them: leave out --paper (in a file: paper = true)"
        )


PLANS: dict[str, tuple[str, Plan]] = {
    "table2": (
        "QMIX with every kind of information on the six maps of StarCraft",
        _table(
            "csrl copa qmix_giu qmix_gip qmix_kd qmix qplex",
            dict(zip(PAPER_MAPS, (2, 2, 5, 5, 10, 10), strict=True)),
        ),
    ),
    "table3": (
        "the same on the five academy scenarios of football (needs `make football`)",
        _table(
            "qmix qmix_giu qmix_gip qmix_kd",
            {
                "academy_3_vs_1_with_keeper": 10,
                "academy_3_vs_2_with_keeper": 10,
                "academy_counterattack_easy": 10,
                "academy_counterattack_hard": 10,
                "academy_run_pass_and_shoot_with_keeper": 10,
            },
            Run(world="football"),
        ),
    ),
    "table4": (
        "the same for VDN",
        _table("vdn vdn_giu vdn_gip vdn_kd", {"3s_vs_5z": 5, "3s5z_vs_3s6z": 10}),
    ),
    "table5": (
        "the same for MAPPO",
        _table("mappo mappo_giu mappo_gip mappo_kd", {"3s_vs_5z": 10, "3s5z_vs_3s6z": 10}),
    ),
    "table6": (
        "two stages against students that learn beside their teacher",
        _table(
            "qmix_gip qmix_kd ctds_teacher ctds online_teacher online online_longer",
            {"5m_vs_6m": 2, "6h_vs_8z": 5, "3s5z_vs_3s7z": 10},
        ),
    ),
    "figure7": (
        "stage 2 over its 40,000 gradient steps: the loss, and the student's win rate",
        _table(
            "qmix_gip qmix_kd",
            {"3s_vs_5z": 2},
            Run(student=DistillConfig(steps=40_000, batch=1_000, tests=40)),
        ),
    ),
    "figure6": ("learning to rank, on --data", _ranking()),
    "controls": (
        "is it the information, the parameters or the noise?",
        _table(
            "qmix qmix_wide qmix_giu giu_wide raw_state csrl gip_mean qmix_gip",
            {"3s_vs_5z": 2},
        ),
    ),
}
"""Plans by name, each with a line about it; budgets are the paper's."""
