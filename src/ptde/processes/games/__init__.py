"""The real games, what they need, and the pitch as a picture."""
