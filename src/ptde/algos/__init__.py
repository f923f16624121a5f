"""Algorithms: one learner per family."""

from ptde.algos.base import AbstractAlgorithm, Metrics, Teacher
from ptde.algos.value import ValueConfig, ValueLearner, ValueModel, ValueState

__all__ = [
    "AbstractAlgorithm",
    "Metrics",
    "Teacher",
    "ValueConfig",
    "ValueLearner",
    "ValueModel",
    "ValueState",
]
