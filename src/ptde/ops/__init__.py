"""Pure mathematics: no parameters, no state."""
