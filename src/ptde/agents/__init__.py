"""Agents: networks that value actions, teams of them, and policies that act."""

from ptde.agents.policy import FullPolicy, LocalPolicy, localise
from ptde.agents.team import StudentPolicy, Teacher, TeacherPolicy, Team
from ptde.agents.utility import UtilityNetwork

__all__ = [
    "FullPolicy",
    "LocalPolicy",
    "StudentPolicy",
    "Teacher",
    "TeacherPolicy",
    "Team",
    "UtilityNetwork",
    "localise",
]
