"""The student's options."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from jaxtyping import Array, Key

from ptde.distill.objectives import OBJECTIVES, AbstractObjective
from ptde.distill.students import STUDENTS
from ptde.info.base import AbstractStudent
from ptde.options import In, Options
from ptde.parts import check_part, find
from ptde.types import EnvSpec


@dataclass(frozen=True)
class DistillConfig(Options):
    """How the student learns. The paper's own (Sec. 3.3, 4.5) is an mlp on z with the
    teacher's data: --method qmix_kd.
    """

    group: ClassVar[str] = "student."

    network: str = "gru"
    """``mlp`` sees O_i alone; ``gru`` has a memory of its own as well; or
    module:callable."""
    objective: str = "q"
    """What it minimises: its distance from the teacher in ``z`` (Paper Eq. 6), or in the
    action values (``q``) and the policy that follow from z; or module:callable."""
    data: Literal["teacher", "replay", "own"] = "own"
    """What it learns from: ``teacher`` rolls data for it; ``replay``: what the replay holds
    at the end of stage 1, which costs no joint steps; ``own``: it plays itself, and the
    teacher answers. With --online-distillation and ``replay``, the student that learnt
    beside its teacher learns on, to ``steps`` gradient steps in all."""
    steps: Annotated[int, In(0, example=40_000)] = 0
    """Gradient steps on data of the teacher or the replay. >= 0; 0 takes 40,000 for rows,
    4,000 for segments."""
    batch: Annotated[int, In(0, example=1_000)] = 0
    """What a gradient step learns from: rows (one agent at one step) for an mlp on z, else
    segments. >= 0; 0 takes 1,000 rows or 32 segments."""
    lr: Annotated[float, In(0, example=1e-4)] = 0.0
    """Adam's learning rate; for segments it falls by a cosine to 0. >= 0; 0 takes 1e-4 for
    rows, 5e-4 for segments."""
    hidden: Annotated[int, In(1)] = 64
    """Width of the student's hidden layers and memory. Units; >= 1."""
    share: Annotated[float, In(0, 0.99)] = 0.1
    """Share of --steps that is rolled for data, by the teacher or by both. In [0, 1); 0
    leaves it to ``data_steps``."""
    data_steps: Annotated[int, In(1)] = 100_000
    """Joint steps that are rolled for data beside --steps, where there is no ``share``.
    >= 1."""
    data_segments: Annotated[int, In(0, example=800)] = 0
    """Segments that the teacher rolls for data beside --steps, whatever ``data_steps``
    says. >= 0; 0 leaves it to ``data_steps``."""
    data_epsilon: Annotated[float, In(0, 1)] = 0.05
    """Probability of a random action meanwhile. In [0, 1]."""
    warm_up: Annotated[float, In(0, 1)] = 0.1
    """Of ``own`` data: the share of the collections, the first, that the teacher plays
    alone. In [0, 1]."""
    teacher_share: Annotated[float, In(0, 1)] = 0.25
    """Of ``own`` data: the share of the copies that the teacher plays afterwards.
    In [0, 1]."""
    updates: Annotated[int, In(1)] = 40
    """Of ``own`` data: gradient steps after each collection. >= 1."""
    held_out: Annotated[float, In(0.01, 0.99)] = 0.2
    """Share of the segments, and so of the episodes, kept for the test loss.
    In [0.01, 0.99]."""
    tests: Annotated[int, In(1)] = 20
    """How often the test loss and the student's win rate are measured. >= 1."""
    test_episodes: Annotated[int, In(0, example=64)] = 0
    """Episodes of each of these tests. >= 0; 0 takes as many as --test-episodes."""

    def __post_init__(self):
        super().__post_init__()
        check_part("student.network", self.network, STUDENTS)
        check_part("student.objective", self.objective, OBJECTIVES)
        if self.share and self.data_segments:
            raise ValueError(
                f"--student.share {self.share} and --student.data-segments "
                f"{self.data_segments} both say how much data is rolled: type one, and "
                "--student.share 0 with the latter"
            )

    def make(self, spec: EnvSpec, z_dim: int, *, key: Key[Array, ""]) -> AbstractStudent:
        """An untrained student."""
        make = find("student.network", self.network, STUDENTS)
        return make(spec.local_dim, z_dim, self.hidden, key=key)

    def loss(self) -> AbstractObjective:
        """What it minimises."""
        return find("student.objective", self.objective, OBJECTIVES)()

    @property
    def papers(self) -> bool:
        """It is the student of Paper Sec. 3.3."""
        return (self.network, self.objective) == ("mlp", "z")

    @property
    def segments(self) -> int:
        """``data_segments``, where it is the teacher who plays."""
        return self.data_segments if self.data == "teacher" else 0

    @property
    def whole(self) -> bool:
        """It learns from whole segments: it remembers, or its loss looks at the network's
        memory. Else every row is as good as a segment.
        """
        return self.network != "mlp" or self.objective != "z" or self.data == "own"

    @property
    def gradient_steps(self) -> int:
        """``steps``, or what 0 stands for."""
        return self.steps or (4_000 if self.whole else 40_000)

    @property
    def batch_size(self) -> int:
        """``batch``, or what 0 stands for."""
        return self.batch or (32 if self.whole else 1_000)

    @property
    def rate(self) -> float:
        """``lr``, or what 0 stands for."""
        return self.lr or (5e-4 if self.whole else 1e-4)
