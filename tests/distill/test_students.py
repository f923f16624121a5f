import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ptde.distill.students import STUDENTS, GruStudent, NoStudent, StudentInfo

LOCAL, Z, B, T, N = 5, 3, 2, 7, 2


def segments(key):
    local = jax.random.normal(key, (B, T, N, LOCAL))
    first = jnp.zeros((B, T), bool).at[:, 0].set(True).at[1, 4].set(True)
    return local, first


def stepped(student, local, first):
    """z' step by step, the memory cleared where an episode starts."""
    carry = student.start(B, N)
    for t in range(T):
        start = first[:, t, None, None]
        carry = jax.tree.map(lambda x, s=start: jnp.where(s, 0.0, x), carry)
        carry, z = student.step(carry, local[:, t])
        yield z


@pytest.mark.parametrize("kind", STUDENTS)
def test_a_segment_is_its_steps(kind, getkey):
    student = STUDENTS[kind](LOCAL, Z, 8, key=getkey())
    local, first = segments(getkey())
    whole = student.unroll(local, first)
    assert whole.shape == (B, T, N, Z)
    for t, z in enumerate(stepped(student, local, first)):
        np.testing.assert_allclose(z, whole[:, t], atol=1e-5)


def test_one_remembers_within_an_episode_and_the_other_does_not(getkey):
    local, first = segments(getkey())
    other = local.at[:, 2].add(1.0)
    for kind, remembers in (("mlp", False), ("gru", True)):
        student = STUDENTS[kind](LOCAL, Z, 8, key=getkey())
        change = jnp.abs(student.unroll(local, first) - student.unroll(other, first))
        assert (change[:, :2] == 0).all()
        assert (change[:, 2] > 0).any()
        assert bool((change[:, 3] > 0).any()) == remembers
        assert (change[1, 4:] == 0).all()  # a new episode


def test_what_needs_no_student_gets_an_empty_z(getkey):
    local, first = segments(getkey())
    none = NoStudent()
    assert none.unroll(local, first).shape == (B, T, N, 0)
    assert none.step(none.start(B, N), local[:, 0])[1].shape == (B, N, 0)


def test_a_student_in_the_modules_place_is_not_given_the_state(getkey):
    student = GruStudent(LOCAL, Z, 8, key=getkey())
    info = StudentInfo(student, Z)
    local, first = segments(getkey())
    nothing = jnp.full((B, T, 4), jnp.nan)
    context = info.unroll(local, nothing, first, noise=None)
    np.testing.assert_array_equal(context.z, student.unroll(local, first))
    np.testing.assert_array_equal(context.z, context.mean)
    assert info.draw((B, T, N), key=getkey()) is None
    _, one = info.step(info.start(B, N), local[:, 0], nothing[:, 0], noise=None)
    np.testing.assert_allclose(one.z, context.z[:, 0], atol=1e-5)
