import jax
import jax.numpy as jnp
import numpy as np

from ptde.ops.masks import last_steps, masked_mean, valid_transitions

FIRST = jnp.array([True, False, False, True, False, True])


def test_transitions_into_a_first_step_do_not_count():
    assert valid_transitions(FIRST).tolist() == [True, True, False, True, False]


def test_last_steps_are_those_before_a_first_and_the_segments_end():
    assert last_steps(FIRST).tolist() == [False, True, False, True, True]


def test_masked_mean():
    x = jnp.array([1.0, 2.0, jnp.nan])
    assert masked_mean(x, jnp.array([True, True, False])) == 1.5


def test_gradient_is_finite_when_all_is_masked():
    nothing = jnp.zeros(3, bool)
    value, gradient = jax.value_and_grad(lambda x: masked_mean(x, nothing))(jnp.ones(3))
    assert value == 0.0
    np.testing.assert_array_equal(gradient, jnp.zeros(3))
