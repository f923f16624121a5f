"""Algorithms: one learner per family."""

from ptde.algos.base import AbstractAlgorithm, Metrics, Teacher
from ptde.algos.value import ValueLearner, ValueModel, ValueState
from ptde.algos.value_config import ValueConfig

__all__ = [
    "AbstractAlgorithm",
    "Metrics",
    "Teacher",
    "ValueConfig",
    "ValueLearner",
    "ValueModel",
    "ValueState",
]
