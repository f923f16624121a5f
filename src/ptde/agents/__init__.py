"""Agents: networks that value actions, and policies that act."""

from ptde.agents.policy import (
    FullPolicy,
    LocalPolicy,
    StudentPolicy,
    TeacherPolicy,
    localise,
)
from ptde.agents.utility import UtilityNetwork

__all__ = [
    "FullPolicy",
    "LocalPolicy",
    "StudentPolicy",
    "TeacherPolicy",
    "UtilityNetwork",
    "localise",
]
