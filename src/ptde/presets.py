"""Runs by name: `ptde run --preset NAME`, and any option on top."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ptde.algos.finetune import FinetuneConfig
from ptde.algos.value_config import ValueConfig
from ptde.config import Run
from ptde.distill.config import DistillConfig
from ptde.info import InfoSizes
from ptde.unread import without_unread

PAPER_MAPS = (
    "3s_vs_5z",
    "5m_vs_6m",
    "3s5z_vs_3s6z",
    "6h_vs_8z",
    "3s_vs_8z",
    "3s5z_vs_3s7z",
)
"""The maps of the paper's Table 2, in its order."""

_BUDGETS = (2, 2, 5, 5, 10, 10)
"""Budgets of ``PAPER_MAPS`` in Table 2, in millions of joint steps."""


def as_paper(run: Run) -> Run:
    """The run with the values of the paper's Table 7 and of its authors' released code.

    The paper counts episodes, ptde segments: a segment is as long as the longest episode,
    and counts as an episode of the paper's replay (docs/deviations.md).

    Raises:
        ValueError: the world is ranking, for which the paper gives no values.
    """
    if run.world == "ranking":
        raise ValueError(
            "the paper does not say how it learnt to rank: leave out --paper, and "
            "--preset paper"
        )
    return replace(
        run,
        envs=8,
        segment=0,
        time_out="terminal",
        z_test="sample",
        test_every=10_000,
        test_episodes=32,
        value=ValueConfig(
            gamma=0.99,
            td_lambda=0.6,
            lr=1e-3,
            average=0.0,
            max_grad_norm=10.0,
            buffer=5_000,
            batch=128,
            updates=1,
            target_period=200,
            segment_episodes=1,
            epsilon_start=1.0,
            epsilon_end=0.05,
            epsilon_steps=100_000,
            openings=0.0,
        ),
        student=DistillConfig(
            network="mlp",
            objective="z",
            data="teacher",
            share=0.0,
            steps=500_001,
            batch=2_048,
            lr=1e-4,
            data_segments=800,
            tests=50,
            test_episodes=32,
        ),
        finetune=FinetuneConfig(share=0.0),
    )


PRESETS: dict[str, tuple[str, Mapping[str, Any]]] = {
    "demo": (
        "the main job in a few minutes: GIP, its student and plain QMIX on 3s_vs_5z",
        {
            "map": "3s_vs_5z",
            "steps": 350_000,
            "episodes": 512,
            "info_config": InfoSizes(stochastic=False, state_encoder=16),
            "finetune": FinetuneConfig(share=0.0),
            "baseline": True,
        },
    ),
    "quick": (
        "does it run? a few thousand steps, nothing is learnt",
        {
            "map": "3m",
            "steps": 8_000,
            "test_every": 4_000,
            "episodes": 32,
            "value": ValueConfig(buffer=200, epsilon_steps=5_000),
            "student": DistillConfig(steps=50, batch=4, tests=2),
            "finetune": FinetuneConfig(tests=2),
        },
    ),
    "paper": (
        "Table 7's values and the released code's, on any --map; budgets: --steps",
        {},
    ),
    **{
        f"table2/{name}": (
            f"the default run on {name}, with the joint steps of Table 2",
            {"map": name, "steps": budget * 1_000_000},
        )
        for name, budget in zip(PAPER_MAPS, _BUDGETS, strict=True)
    },
}
"""Presets by name: a line about each, and the options that it sets. The rest are a world's
defaults; ``paper`` sets its own on any run (``as_paper``)."""


def preset(name: str, **changes: Any) -> Run:
    """The preset's run with the given fields changed, and without options of the preset
    that the run then does not read.
    """
    start = start_of(name, changes.get("world", Run.world))
    return without_unread(replace(start, **changes), start)


def start_of(name: str | None, world: str = Run.world) -> Run:
    """The run that typed options change: a preset's in a world or, without one, the
    world's.
    """
    run = Run(world=world, **(PRESETS[name][1] if name else {}))
    return as_paper(run) if name == "paper" else run
