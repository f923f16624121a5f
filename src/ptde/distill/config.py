"""Options of the student and its training."""

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
    """How the student learns. The paper's own student (Sec. 3.3, 4.5) is an mlp on z with
    the teacher's data: --method qmix_kd.
    """

    group: ClassVar[str] = "student."

    network: str = "gru"
    """The student's network: ``mlp`` reads O_i alone; ``gru`` has a memory of its own as
    well; or module:callable."""
    objective: str = "q"
    """The student's loss: its distance from the teacher in ``z`` (Paper Eq. 6), or in the
    action values (``q``) and the policy that follow from z; or module:callable."""
    data: Literal["auto", "teacher", "replay", "own"] = "auto"
    """Data that the student learns from. ``teacher``: the teacher plays for it; ``replay``:
    the replay as stage 1 leaves it, which costs no joint steps; ``own``: the student plays,
    and the teacher labels; ``auto``: replay, or own where the learner keeps none. With
    --online-distillation and ``replay``, the student that learnt beside its teacher learns
    on, to ``steps`` gradient steps in all."""
    steps: Annotated[int, In(0, example=40_000)] = 0
    """Gradient steps. >= 0; 0 takes 40,000 for rows, 3,000 for segments."""
    batch: Annotated[int, In(0, example=1_000)] = 0
    """Rows (one agent at one step) of a gradient step for an mlp on z, else segments. >= 0;
    0 takes 1,000 rows or 8 segments."""
    lr: Annotated[float, In(0, example=1e-4)] = 0.0
    """Adam's learning rate; for segments it falls by a cosine to 0. >= 0; 0 takes 1e-4 for
    rows, 2e-3 for segments."""
    hidden: Annotated[int, In(1)] = 64
    """Width of the student's hidden layers and memory. Units; >= 1."""
    share: Annotated[float, In(0, 0.99)] = 0.1
    """Share of --steps that is played for data, by the teacher or by both; not for the
    replay. In [0, 1); 0 leaves it to ``data_steps``."""
    data_steps: Annotated[int, In(1)] = 100_000
    """Joint steps that are played for data on top of --steps, where ``share`` is 0.
    >= 1."""
    data_segments: Annotated[int, In(0, example=800)] = 0
    """Segments that the teacher plays for data on top of --steps, in place of
    ``data_steps``. >= 0; 0 leaves it to ``data_steps``."""
    data_epsilon: Annotated[float, In(0, 1)] = 0.05
    """Probability of a random action while data is played. In [0, 1]."""
    warm_up: Annotated[float, In(0, 1)] = 0.1
    """With ``own`` data: share of the collections, at the start, that the teacher plays
    alone. In [0, 1]."""
    teacher_share: Annotated[float, In(0, 1)] = 0.25
    """With ``own`` data: share of the copies that the teacher plays afterwards.
    In [0, 1]."""
    updates: Annotated[int, In(0, example=40)] = 0
    """With ``own`` data: gradient steps after each collection. >= 0; 0 shares ``steps``
    among the collections."""
    held_out: Annotated[float, In(0.01, 0.99)] = 0.2
    """Share of the segments that is kept for the test loss. In [0.01, 0.99]."""
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
        """The student's loss."""
        return find("student.objective", self.objective, OBJECTIVES)()

    @property
    def papers(self) -> bool:
        """Whether this is the student of Paper Sec. 3.3."""
        return (self.network, self.objective) == ("mlp", "z")

    @property
    def segments(self) -> int:
        """``data_segments`` where the teacher plays the data, else 0."""
        return self.data_segments if self.data == "teacher" else 0

    @property
    def whole(self) -> bool:
        """Whether it learns from whole segments: the student or its loss needs a memory, or
        the data is its own. Else it learns from single rows.
        """
        return self.network != "mlp" or self.objective != "z" or self.data == "own"

    @property
    def gradient_steps(self) -> int:
        """``steps``, or the default that 0 stands for."""
        return self.steps or (3_000 if self.whole else 40_000)

    @property
    def batch_size(self) -> int:
        """``batch``, or the default that 0 stands for."""
        return self.batch or (8 if self.whole else 1_000)

    @property
    def rate(self) -> float:
        """``lr``, or the default that 0 stands for."""
        return self.lr or (2e-3 if self.whole else 1e-4)
