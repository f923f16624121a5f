"""What a diagnosis says, and which command it proposes."""

from dataclasses import replace
from pathlib import Path

from ptde.algos.finetune import FinetuneConfig
from ptde.algos.registry import ALGOS
from ptde.config import Run
from ptde.diagnosis.gap import Part
from ptde.diagnosis.sentence import DEALT, sentence
from ptde.distill.config import DistillConfig

RUN = Run(steps=100_000, student=DistillConfig(network="mlp", data="teacher", hidden=32))


def said(
    parts, *, run=RUN, teacher=0.9, student=0.5, chance=0.05, measure="win rate", **more
):
    """With parts that may each be 0.05 by chance."""
    reached = {"teacher": teacher, "student": student, **more}
    gap = Part(teacher - student, chance)
    parts = {name: Part(size, 0.05) for name, size in parts.items()}
    return sentence(run, Path("runs/a"), measure, reached, gap, parts)


def test_the_largest_part_is_explained_and_the_others_named():
    text = said({"knowledge": 0.03, "memory": 0.07, "shift": 0.3})
    assert text.startswith("Win rate falls from 0.900 to 0.500, a gap of 0.400, of which ")
    assert "0.300 is shift (beside it: memory 0.070): the student comes into" in text
    assert "`ptde distill runs/a --student.data own --student.network gru`." in text
    assert "knowledge" not in text


def test_data_of_its_own_has_the_budget_that_was_compared():
    run = Run(steps=100_000, finetune=FinetuneConfig(share=0.0))
    text = said({"shift": 0.3}, run=run)
    assert "--student.data own --student.data-steps 10_000`" in text
    assert "data-steps" not in said(
        {"shift": 0.3}
    )  # the run's own, which `ptde distill` has


def test_a_return_may_be_below_0():
    text = said({"memory": 4.0}, teacher=-20.0, student=-24.0, measure="return")
    assert text.startswith("Return falls from -20.000 to -24.000, a gap of 4.000")
    assert "nothing to lose yet" in said({}, teacher=0.0, student=0.0)


def test_what_cannot_be_known_is_for_stage_3():
    tenth = Run(steps=100_000, student=RUN.student, finetune=FinetuneConfig(share=0.1))
    text = said({"knowledge": 0.3, "memory": 0.06}, run=tenth, finetuned=0.8)
    assert "is knowledge (beside it: memory 0.060)" in text
    assert "`ptde finetune runs/a --finetune.steps 20_000`" in text  # twice its share
    assert text.endswith("Fine-tuned, the team reaches 0.800.")
    without = Run(steps=100_000, finetune=FinetuneConfig(share=0.0))
    assert "--finetune.steps 25_000`" in said({"knowledge": 0.3}, run=without)


def test_errors_dealt_out_tell_where_the_student_errs():
    text = said({"memory": 0.3}, **{DEALT: 0.85})
    assert "dealt out at random, leave its teacher at 0.850: it errs where" in text
    text = said({"memory": 0.3}, **{DEALT: 0.55})
    assert "leave its teacher at 0.550: it is not near enough to z" in text


def test_a_student_that_is_too_small_is_to_be_wider_and_to_see_more():
    text = said({"capacity": 0.3, "knowledge": 0.08})
    assert "--student.hidden 64 --student.data-steps 20_000`" in text


def test_what_is_to_be_seen_is_counted_as_it_was_typed():
    student = DistillConfig(
        network="mlp", data="teacher", share=0.0, data_segments=100, hidden=32
    )
    text = said({"capacity": 0.3}, run=Run(student=student))
    assert "--student.hidden 64 --student.data-segments 200`" in text


def test_steps_of_rows_are_not_advised_for_segments():
    student = DistillConfig(
        network="mlp", objective="z", data="teacher", steps=500_001, batch=2_048
    )
    text = said({"memory": 0.3}, run=Run(steps=100_000, student=student))
    assert "--student.network gru --student.steps 0 --student.batch 0`" in text
    whole = replace(student, network="gru", steps=0, batch=0)
    text = said({"loss": 0.3}, run=Run(steps=100_000, student=whole))
    assert "--student.objective q`" in text


def test_a_learner_without_a_third_stage_is_not_sent_there(monkeypatch):
    name = "mappo"
    monkeypatch.setitem(ALGOS, name, replace(ALGOS[name], tune=None))
    text = said({"knowledge": 0.3}, run=Run(steps=100_000, algo=name))
    assert "finetune" not in text and "the learner mappo does not have" in text


def test_where_nothing_is_lost_nothing_is_proposed():
    text = said({"shift": 0.3}, student=0.88)
    assert "the student keeps what its teacher reaches" in text
    assert "--" not in text


def test_a_teacher_that_reaches_nothing_is_to_be_taught_for_longer():
    text = said({"shift": 0.0}, teacher=0.02, student=0.0)
    assert "`ptde run --steps 400_000`" in text


def test_parts_that_may_all_be_chance_ask_for_more_episodes():
    assert "--episodes" in said({"shift": 0.04, "memory": 0.03})
