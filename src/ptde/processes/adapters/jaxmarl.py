"""Check whether one team can play a world of JaxMARL's. This module imports no JAX."""

from typing import Any

ALONE = "it has one agent, and a team needs two"
TEAMS = "several teams play against each other"
CONTINUOUS = "its actions are continuous, and the teams here choose from a list"


def misfit(game: Any) -> str | None:
    """Why one team cannot play a world of JaxMARL's; None if it can."""
    try:
        teams = game.agent_classes  # a property, or a method
        teams = teams() if callable(teams) else teams
    except (AttributeError, NotImplementedError):
        teams = ()
    if len(game.agents) < 2:
        return ALONE
    spaces = {agent: game.action_space(agent) for agent in game.agents}
    odd = [agent for agent, space in spaces.items() if not hasattr(space, "n")]
    if odd:
        return f"{CONTINUOUS} ({odd[0]}'s are a {type(spaces[odd[0]]).__name__})"
    if len(teams) > 1:
        return f"{TEAMS} ({', '.join(teams)})"
    return None
