"""The colour and the line of every method, the same in all pictures and pages.

Colours stand for the information of a team; they are Okabe and Ito's (2008) and three of
Tol's "muted" scheme, which people with any colour blindness can tell apart. Lines stand for
the learner: solid QMIX, dashed VDN, dotted MAPPO; dash and dot are variants, long dashes
stages of the PTDE recipe.
"""

from dataclasses import dataclass

BLUE, VERMILION, ORANGE = "#0072B2", "#D55E00", "#E69F00"
GREEN, PURPLE, SKY, GREY, BLACK = "#009E73", "#CC79A7", "#56B4E9", "#6B6B6B", "#000000"
OLIVE, WINE, INDIGO = "#999933", "#882255", "#332288"

SOLID: tuple[float, ...] = ()
DASHED, DOTTED, MIXED = (5.0, 3.0), (1.5, 2.5), (6.0, 2.5, 1.5, 2.5)
LONG = (10.0, 3.0)


@dataclass(frozen=True)
class Look:
    """How a method is drawn."""

    colour: str
    """Colour as ``#RRGGBB``."""
    dash: tuple[float, ...] = SOLID
    """Lengths of strokes and gaps, in units of the line's width; empty is a solid line."""

    @property
    def linestyle(self) -> str | tuple[int, tuple[float, ...]]:
        """The line style as Matplotlib takes it."""
        return (0, self.dash) if self.dash else "-"


def _family(learner: str, dash: tuple[float, ...]) -> dict[str, Look]:
    kinds = {"": GREY, "_GIU": ORANGE, "_GIP": BLUE, "_KD": VERMILION, "_PTDE": INDIGO}
    stages = {"_PTDE, teacher": BLUE, "_PTDE, student": VERMILION}
    of_stages = (*LONG, *dash)
    return {
        **{f"{learner}{kind}": Look(colour, dash) for kind, colour in kinds.items()},
        **{f"{learner}{kind}": Look(colour, of_stages) for kind, colour in stages.items()},
    }


LOOKS: dict[str, Look] = {
    **_family("QMIX", SOLID),
    **_family("VDN", DASHED),
    **_family("MAPPO", DOTTED),
    **_family("QPLEX", MIXED),
    "QPLEX": Look(BLACK),
    "MAPPO_CSRL": Look(GREEN, DOTTED),
    "CSRL": Look(GREEN),
    "CSRL (T = 4)": Look(GREEN, MIXED),
    "COPA": Look(PURPLE),
    "COPA (T = 4)": Look(PURPLE, MIXED),
    "COPA (lite)": Look(PURPLE, DASHED),
    "CTDS, teacher": Look(SKY, MIXED),
    "CTDS": Look(SKY),
    "QMIX_GIP, student beside it": Look(OLIVE, MIXED),
    "QMIX_KD, simultaneous": Look(OLIVE),
    "QMIX_KD, simultaneous, then longer": Look(OLIVE, DASHED),
    "QMIX, wide": Look(GREY, MIXED),
    "QMIX_GIU, wide": Look(ORANGE, MIXED),
    "QMIX_GIP, z = mean": Look(BLUE, MIXED),
    "QMIX, raw state": Look(WINE),
}
"""Looks by the paper's name of a method (``Method.name``)."""

_AS_RUN = {
    "QMIX_CSRL": "CSRL",
    "QMIX_COPA": "COPA",
    "QMIX_COPA_LITE": "COPA (lite)",
    "QMIX_STATE": "QMIX, raw state",
    "QMIX_CTDS": "CTDS, teacher",
    "QMIX_CTDS, student": "CTDS",
    "QMIX_GIP_ONLINE": "QMIX_GIP, student beside it",
    "QMIX_GIP_ONLINE, student": "QMIX_KD, simultaneous",
    **{
        f"{learner}_GIP, {stage}": f"{learner}_PTDE{its}"
        for learner in ("QMIX", "VDN", "MAPPO", "QPLEX")
        for stage, its in {"student": ", student", "fine-tuned": ""}.items()
    },
}
"""The paper's name (``Method.name``) by the name of its runs (``Run.method``)."""

ROLES = {"teacher": BLUE, "student": VERMILION, "finetuned": INDIGO, "baseline": GREY}
"""Colours of the roles of a run that is no method of the paper's."""

LOSSES = {"training": Look(BLACK), "held out": Look(BLACK, DASHED)}
"""Looks of the two losses of a distillation."""


def look_of(name: str, role: str = "teacher") -> Look:
    """The look of a method or of a run's role.

    Args:
        name: the paper's name of a method, or a run's.
        role: the role whose look is taken if no method has that name.
    """
    name = _AS_RUN.get(name, name)
    return LOOKS.get(name) or Look(ROLES[role])
